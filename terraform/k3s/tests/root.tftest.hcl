# The whole root with made-up answers of AWS: what belongs together, and what must not be.

mock_provider "aws" {
  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }
  mock_data "aws_ssm_parameter" {
    defaults = { insecure_value = "ami-0123456789abcdef0" }
  }
  mock_resource "aws_vpc" {
    defaults = { id = "vpc-0123456789abcdef0" }
  }
  mock_resource "aws_subnet" {
    defaults = { id = "subnet-0123456789abcdef0" }
  }
}

variables {
  region            = "eu-central-1"
  availability_zone = "eu-central-1a"
  admin_cidrs       = ["203.0.113.7/32"]
  backup_bucket     = "wareit-backups"
  zone_id           = "Z0000000000000000000"
  k3s               = { version = "v1.35.8+k3s1", sha256 = "0000000000000000000000000000000000000000000000000000000000000000" }

  ecr_credential_provider = { version = "v1.35.0", sha256 = "0000000000000000000000000000000000000000000000000000000000000000" }
}

run "points_no_name_here_by_default" {
  command = plan

  assert {
    condition     = length(output.dns_names) == 0
    error_message = "an early apply must not cut over"
  }
}

run "points_only_the_named_hosts_here_as_canary" {
  command = plan

  variables {
    dns_mode     = "canary"
    canary_hosts = ["canary.wareit.ai"]
  }

  assert {
    condition     = output.dns_names == tolist(["canary.wareit.ai"])
    error_message = "canary must be the named hosts alone"
  }
}

run "points_api_and_tenants_here_when_live" {
  command = plan

  variables {
    dns_mode = "live"
  }

  assert {
    condition     = output.dns_names == tolist(["*.wareit.ai", "api.wareit.ai"])
    error_message = "live must be the API and the wildcard"
  }
}

run "tells_what_the_release_manager_needs" {
  command = plan

  assert {
    condition     = output.distribution == "k3s" && output.registry == "123456789012.dkr.ecr.eu-central-1.amazonaws.com"
    error_message = "the registry must be the account's own"
  }

  assert {
    condition     = output.kubeconfig_parameter == "/aware-k3s/kubeconfig" && output.backup_user == "aware-k3s-backups"
    error_message = "the kubeconfig's parameter and the users must be named after the node"
  }
}
