# Every rule of variables.tf, kept and broken once. No AWS: its answers are made up.

mock_provider "aws" {}

variables {
  name               = "aware-k3s"
  region             = "eu-central-1"
  availability_zones = ["eu-central-1a"]
}

run "takes_what_is_right" {
  command = plan

  assert {
    condition     = length(aws_subnet.public) == 1 && length(aws_subnet.private) == 0 && length(aws_nat_gateway.main) == 0
    error_message = "there must be one public subnet and nothing private"
  }
}

run "takes_three_zones_with_private_subnets" {
  command = plan

  variables {
    availability_zones  = ["eu-central-1a", "eu-central-1b", "eu-central-1c"]
    has_private_subnets = true
  }

  assert {
    condition     = length(aws_subnet.private) == 3 && length(aws_nat_gateway.main) == 1
    error_message = "three zones need three private subnets, and one NAT gateway for all"
  }
}

run "refuses_upper_case_in_the_name" {
  command = plan

  variables {
    name = "Aware"
  }

  expect_failures = [var.name]
}

run "refuses_a_region_by_its_city" {
  command = plan

  variables {
    region = "Frankfurt"
  }

  expect_failures = [var.region]
}

run "refuses_a_vpc_larger_than_aws_has" {
  command = plan

  variables {
    cidr = "10.0.0.0/8"
  }

  expect_failures = [var.cidr]
}

run "refuses_public_addresses_for_the_vpc" {
  command = plan

  variables {
    cidr = "8.8.0.0/16"
  }

  expect_failures = [var.cidr]
}

run "refuses_no_zone" {
  command = plan

  variables {
    availability_zones = []
  }

  expect_failures = [var.availability_zones]
}

run "refuses_a_zone_named_twice" {
  command = plan

  variables {
    availability_zones = ["eu-central-1a", "eu-central-1a"]
  }

  expect_failures = [var.availability_zones]
}
