# Every rule of variables.tf, kept and broken once. No AWS: its answers are made up.

mock_provider "aws" {
  mock_data "aws_ssm_parameter" {
    defaults = { insecure_value = "ami-0123456789abcdef0" }
  }
}

variables {
  name                = "aware-k3s"
  account_id          = "123456789012"
  region              = "eu-central-1"
  availability_zone   = "eu-central-1a"
  vpc_id              = "vpc-0123456789abcdef0"
  subnet_id           = "subnet-0123456789abcdef0"
  subnet_cidr         = "10.0.0.0/20"
  admin_cidrs         = ["203.0.113.7/32"]
  ecr_repository_arns = ["arn:aws:ecr:eu-central-1:123456789012:repository/aware-gateway"]
  parameter_path      = "/aware-k3s"
  k3s                 = { version = "v1.35.8+k3s1", sha256 = "0000000000000000000000000000000000000000000000000000000000000000" }
  etcd_backups        = { bucket = "wareit-backups", prefix = "etcd", policy = "{\"Version\": \"2012-10-17\", \"Statement\": []}" }

  ecr_credential_provider = { version = "v1.35.0", sha256 = "0000000000000000000000000000000000000000000000000000000000000000" }
}

run "takes_what_is_right" {
  command = plan

  assert {
    condition     = output.architecture == "amd64" && aws_instance.node.credit_specification[0].cpu_credits == "unlimited"
    error_message = "t3.small must be of x86, and say what it does without credits"
  }

  assert {
    condition     = length(aws_vpc_security_group_ingress_rule.ssh) == 0 && length(aws_cloudwatch_log_group.node) == 0
    error_message = "neither SSH nor logs may be there unless asked for"
  }
}

run "takes_graviton" {
  command = plan

  variables {
    instance_type      = "m7gd.large"
    log_retention_days = 30
  }

  assert {
    condition     = output.architecture == "arm64" && strcontains(data.aws_ssm_parameter.ami.name, "arm64")
    error_message = "m7gd is of ARM"
  }

  assert {
    condition     = length(aws_instance.node.credit_specification) == 0
    error_message = "m7gd has no credits"
  }

  assert {
    condition     = length(aws_cloudwatch_log_group.node) == 1
    error_message = "with days there must be a log group"
  }
}

run "takes_types_with_a_g_that_are_not_graviton" {
  command = plan

  variables {
    instance_type = "g4dn.xlarge"
  }

  assert {
    condition     = output.architecture == "amd64"
    error_message = "g4dn is not of ARM"
  }
}

run "refuses_an_underscore_in_the_name" {
  command = plan

  variables {
    name = "aware_k3s"
  }

  expect_failures = [var.name]
}

run "refuses_an_account_by_its_name" {
  command = plan

  variables {
    account_id = "wareit"
  }

  expect_failures = [var.account_id]
}

run "refuses_a_region_by_its_city" {
  command = plan

  variables {
    region = "Frankfurt"
  }

  expect_failures = [var.region]
}

run "refuses_a_zone_of_another_region" {
  command = plan

  variables {
    availability_zone = "eu-west-1a"
  }

  expect_failures = [var.availability_zone]
}

run "refuses_a_vpc_by_its_name" {
  command = plan

  variables {
    vpc_id = "main"
  }

  expect_failures = [var.vpc_id]
}

run "refuses_a_subnet_by_its_name" {
  command = plan

  variables {
    subnet_id = "main"
  }

  expect_failures = [var.subnet_id]
}

run "refuses_a_subnet_without_a_tenth_address" {
  command = plan

  variables {
    subnet_cidr = "10.0.0.0/30"
  }

  expect_failures = [var.subnet_cidr]
}

run "refuses_what_is_no_type_of_instance" {
  command = plan

  variables {
    instance_type = "small"
  }

  expect_failures = [var.instance_type]
}

run "refuses_a_type_with_too_little_memory" {
  command = plan

  variables {
    instance_type = "t3.micro"
  }

  expect_failures = [var.instance_type]
}

run "refuses_a_type_before_nitro" {
  command = plan

  variables {
    instance_type = "t2.small"
  }

  expect_failures = [var.instance_type]
}

run "refuses_unknown_credits" {
  command = plan

  variables {
    cpu_credits = "some"
  }

  expect_failures = [var.cpu_credits]
}

run "refuses_an_address_for_a_network" {
  command = plan

  variables {
    admin_cidrs = ["203.0.113.7"]
  }

  expect_failures = [var.admin_cidrs]
}

run "refuses_the_kubernetes_api_open_to_the_world" {
  command = plan

  variables {
    admin_cidrs = ["0.0.0.0/0"]
  }

  expect_failures = [var.admin_cidrs]
}

run "refuses_the_kubernetes_api_open_to_the_world_by_ipv6" {
  command = plan

  variables {
    admin_cidrs = ["::/0"]
  }

  expect_failures = [var.admin_cidrs]
}

run "refuses_the_world_in_two_halves" {
  command = plan

  variables {
    admin_cidrs = ["0.0.0.0/1", "128.0.0.0/1"]
  }

  expect_failures = [var.admin_cidrs]
}

run "refuses_ipv6_for_ssh" {
  command = plan

  variables {
    ssh_cidrs = ["::1/128"]
  }

  expect_failures = [var.ssh_cidrs]
}

run "refuses_ssh_open_to_the_world" {
  command = plan

  variables {
    ssh_cidrs = ["0.0.0.0/0"]
  }

  expect_failures = [var.ssh_cidrs]
}

run "refuses_a_root_volume_smaller_than_the_image" {
  command = plan

  variables {
    root_volume_gib = 4
  }

  expect_failures = [var.root_volume_gib]
}

run "refuses_half_a_gib" {
  command = plan

  variables {
    data_volume_gib = 10.5
  }

  expect_failures = [var.data_volume_gib]
}

run "refuses_a_volume_for_a_snapshot" {
  command = plan

  variables {
    data_snapshot_id = "vol-0123456789abcdef0"
  }

  expect_failures = [var.data_snapshot_id]
}

run "refuses_no_snapshot" {
  command = plan

  variables {
    snapshot_keep = 0
  }

  expect_failures = [var.snapshot_keep]
}

run "refuses_a_bucket_without_a_policy" {
  command = plan

  variables {
    etcd_backups = { bucket = "b", prefix = "etcd", policy = "" }
  }

  expect_failures = [var.etcd_backups]
}

run "refuses_every_repository" {
  command = plan

  variables {
    ecr_repository_arns = ["*"]
  }

  expect_failures = [var.ecr_repository_arns]
}

run "refuses_a_path_of_aws_own" {
  command = plan

  variables {
    parameter_path = "/aws/k3s"
  }

  expect_failures = [var.parameter_path]
}

run "refuses_an_address_for_a_host_name" {
  command = plan

  variables {
    tls_names = ["https://k3s.wareit.ai"]
  }

  expect_failures = [var.tls_names]
}

run "refuses_a_version_that_is_not_pinned" {
  command = plan

  variables {
    k3s = { version = "latest", sha256 = "0000000000000000000000000000000000000000000000000000000000000000" }
  }

  expect_failures = [var.k3s]
}

run "refuses_k3s_without_a_checksum" {
  command = plan

  variables {
    k3s = { version = "v1.35.8+k3s1", sha256 = "" }
  }

  expect_failures = [var.k3s]
}

run "refuses_a_provider_that_is_not_pinned" {
  command = plan

  variables {
    ecr_credential_provider = { version = "latest", sha256 = "0000000000000000000000000000000000000000000000000000000000000000" }
  }

  expect_failures = [var.ecr_credential_provider]
}

run "refuses_a_provider_without_a_checksum" {
  command = plan

  variables {
    ecr_credential_provider = { version = "v1.35.0", sha256 = "abc" }
  }

  expect_failures = [var.ecr_credential_provider]
}

run "refuses_days_that_cloudwatch_does_not_have" {
  command = plan

  variables {
    log_retention_days = 2
  }

  expect_failures = [var.log_retention_days]
}
