# Every rule of variables.tf, kept and broken once. No AWS: its answers are made up.

mock_provider "aws" {}

variables {
  region       = "eu-central-1"
  state_bucket = "wareit-terraform"
}

run "takes_what_is_right" {
  command = plan

  assert {
    condition     = alltrue([for repository in aws_ecr_repository.main : repository.image_tag_mutability == "IMMUTABLE"])
    error_message = "what a release names must not become something else"
  }
}

run "refuses_a_region_by_its_city" {
  command = plan

  variables {
    region = "Frankfurt"
  }

  expect_failures = [var.region]
}

run "refuses_what_is_no_domain" {
  command = plan

  variables {
    domain = "Wareit"
  }

  expect_failures = [var.domain]
}

run "refuses_a_comment_that_is_too_long" {
  command = plan

  variables {
    zone_comment = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
  }

  expect_failures = [var.zone_comment]
}

run "refuses_upper_case_in_a_repository" {
  command = plan

  variables {
    repositories = ["Aware"]
  }

  expect_failures = [var.repositories]
}

run "refuses_what_is_no_name_of_a_bucket" {
  command = plan

  variables {
    state_bucket = "Wareit_State"
  }

  expect_failures = [var.state_bucket]
}

run "refuses_a_domain_for_a_zone_id" {
  command = plan

  variables {
    existing = { zone_id = "wareit.ai" }
  }

  expect_failures = [var.existing]
}

run "refuses_a_repository_that_is_not_among_them" {
  command = plan

  variables {
    existing = { repositories = ["other"] }
  }

  expect_failures = [var.existing]
}

run "refuses_an_unknown_mutability" {
  command = plan

  variables {
    tag_mutability = "sometimes"
  }

  expect_failures = [var.tag_mutability]
}

run "refuses_half_a_day" {
  command = plan

  variables {
    untagged_days = 0.5
  }

  expect_failures = [var.untagged_days]
}
