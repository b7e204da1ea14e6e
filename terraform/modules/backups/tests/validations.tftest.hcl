# Every rule of variables.tf, kept and broken once. No AWS: its answers are made up.

mock_provider "aws" {}

variables {
  bucket = "wareit-backups"
}

run "takes_what_is_right" {
  command = plan
}

run "refuses_what_is_no_name_of_a_bucket" {
  command = plan

  variables {
    bucket = "Wareit_Backups"
  }

  expect_failures = [var.bucket]
}

run "refuses_no_day_to_undelete" {
  command = plan

  variables {
    undelete_days = 0
  }

  expect_failures = [var.undelete_days]
}

run "refuses_what_is_no_name_of_a_source" {
  command = plan

  variables {
    source_bucket = "arn:aws:s3:::wareit-backups"
  }

  expect_failures = [var.source_bucket]
}
