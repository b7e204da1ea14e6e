# The whole root with made-up answers of AWS: what belongs together, and what must not be.

mock_provider "aws" {
  mock_data "aws_ebs_encryption_by_default" {
    defaults = { enabled = true }
  }
  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }
}

variables {
  region               = "eu-central-1"
  availability_zones   = ["eu-central-1a", "eu-central-1b"]
  admin_cidrs          = ["203.0.113.7/32"]
  admin_principal_arns = ["arn:aws:iam::123456789012:role/administrator"]
  backup_bucket        = "wareit-backups"
  zone_id              = "Z0000000000000000000"
}

run "points_no_name_here_by_default" {
  command = plan

  assert {
    condition     = length(output.dns_names) == 0
    error_message = "an early apply must not cut over"
  }
}

run "tells_what_the_release_manager_needs" {
  command = plan

  assert {
    condition     = output.distribution == "eks" && output.kubeconfig_parameter == "" && output.backup_user == ""
    error_message = "EKS has roles, and no parameter with a kubeconfig"
  }
}

run "refuses_one_zone" {
  command = plan

  variables {
    availability_zones = ["eu-central-1a"]
  }

  expect_failures = [var.availability_zones]
}

run "refuses_a_namespace_that_is_none" {
  command = plan

  variables {
    namespace = "Aware"
  }

  expect_failures = [var.namespace]
}

run "refuses_zones_of_another_region" {
  command = plan

  variables {
    availability_zones = ["eu-west-1a", "eu-west-1b"]
  }

  expect_failures = [var.availability_zones]
}
