# Every rule of variables.tf, kept and broken once. No AWS: its answers are made up.

mock_provider "aws" {}

variables {
  bucket = "wareit-backups"
}

run "takes_what_is_right" {
  command = plan

  assert {
    condition     = aws_s3_bucket_public_access_block.main.restrict_public_buckets && aws_s3_bucket_versioning.main.versioning_configuration[0].status == "Enabled"
    error_message = "the bucket must be closed to the public, and versioned"
  }
}

run "refuses_what_is_no_name_of_a_bucket" {
  command = plan

  variables {
    bucket = "Wareit_Backups"
  }

  expect_failures = [var.bucket]
}
