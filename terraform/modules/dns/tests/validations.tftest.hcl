# Every rule of variables.tf, kept and broken once. No AWS: its answers are made up.

mock_provider "aws" {}

variables {
  zone_id = "Z0000000000000000000"
  domain  = "wareit.ai"
  target  = { address = "203.0.113.10" }
}

run "takes_what_is_right" {
  command = plan

  assert {
    condition     = length(aws_route53_record.host) == 0
    error_message = "by default no name may point anywhere"
  }
}

run "takes_canary" {
  command = plan

  variables {
    mode         = "canary"
    canary_hosts = ["canary.wareit.ai"]
  }

  assert {
    condition     = output.names == tolist(["canary.wareit.ai"]) && length(aws_route53_record.host) == 1
    error_message = "canary must be the named hosts alone"
  }
}

run "takes_live" {
  command = plan

  variables {
    mode = "live"
  }

  assert {
    condition     = output.names == tolist(["*.wareit.ai", "api.wareit.ai"])
    error_message = "live must be the API and the wildcard"
  }

  assert {
    condition     = alltrue([for record in aws_route53_record.host : record.ttl == 60 && record.type == "A"])
    error_message = "records must be forgotten within 60 seconds"
  }
}

run "takes_an_alias" {
  command = plan

  variables {
    mode   = "live"
    target = { alias = { name = "balancer.example.com", zone_id = "Z3F0SRJ5LGBH90" } }
  }

  assert {
    condition     = length(aws_route53_record.host) == 2 && alltrue([for record in aws_route53_record.host : length(record.alias) == 1])
    error_message = "each name must have an alias"
  }
}

run "refuses_a_domain_for_a_zone_id" {
  command = plan

  variables {
    zone_id = "wareit.ai"
  }

  expect_failures = [var.zone_id]
}

run "refuses_what_is_no_domain" {
  command = plan

  variables {
    domain = "Wareit"
  }

  expect_failures = [var.domain]
}

run "refuses_an_unknown_mode" {
  command = plan

  variables {
    mode = "on"
  }

  expect_failures = [var.mode]
}

run "refuses_a_canary_without_hosts" {
  command = plan

  variables {
    mode = "canary"
  }

  expect_failures = [var.mode]
}

run "refuses_a_host_of_another_domain" {
  command = plan

  variables {
    canary_hosts = ["canary.example.com"]
  }

  expect_failures = [var.canary_hosts]
}

run "refuses_a_canary_in_upper_case" {
  command = plan

  variables {
    canary_hosts = ["API.wareit.ai"]
  }

  expect_failures = [var.canary_hosts]
}

run "refuses_the_wildcard_as_a_canary" {
  command = plan

  variables {
    canary_hosts = ["*.wareit.ai"]
  }

  expect_failures = [var.canary_hosts]
}

run "refuses_no_target" {
  command = plan

  variables {
    target = {}
  }

  expect_failures = [var.target]
}

run "refuses_a_time_to_live_that_is_too_short" {
  command = plan

  variables {
    ttl_seconds = 5
  }

  expect_failures = [var.ttl_seconds]
}
