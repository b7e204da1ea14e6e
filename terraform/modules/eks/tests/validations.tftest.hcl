# Every rule of variables.tf, kept and broken once. No AWS: its answers are made up.

mock_provider "aws" {
  mock_data "aws_ebs_encryption_by_default" {
    defaults = { enabled = true }
  }
}

variables {
  name                 = "aware-eks"
  account_id           = "123456789012"
  vpc_id               = "vpc-0123456789abcdef0"
  public_subnet_ids    = ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"]
  private_subnet_ids   = ["subnet-0123456789abcdef2", "subnet-0123456789abcdef3"]
  admin_cidrs          = ["203.0.113.7/32"]
  admin_principal_arns = ["arn:aws:iam::123456789012:role/administrator"]
}

run "takes_what_is_right" {
  command = plan

  assert {
    condition     = jsondecode(aws_eks_addon.before_nodes["vpc-cni"].configuration_values).enableNetworkPolicy == "true"
    error_message = "NetworkPolicies must be enforced"
  }

  assert {
    condition     = jsondecode(aws_eks_addon.on_nodes["aws-ebs-csi-driver"].configuration_values).defaultStorageClass.enabled
    error_message = "there must be a default StorageClass"
  }

  assert {
    condition     = aws_eks_cluster.main.access_config[0].bootstrap_cluster_creator_admin_permissions == false
    error_message = "who makes the cluster must not administer it by that alone"
  }
}

run "refuses_an_underscore_in_the_name" {
  command = plan

  variables {
    name = "aware_eks"
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

run "refuses_a_kubernetes_too_old_for_the_charts" {
  command = plan

  variables {
    kubernetes_version = "1.29"
  }

  expect_failures = [var.kubernetes_version]
}

run "refuses_a_vpc_by_its_name" {
  command = plan

  variables {
    vpc_id = "main"
  }

  expect_failures = [var.vpc_id]
}

run "refuses_a_load_balancer_in_one_zone" {
  command = plan

  variables {
    public_subnet_ids = ["subnet-0123456789abcdef0"]
  }

  expect_failures = [var.public_subnet_ids]
}

run "refuses_public_subnets_by_name" {
  command = plan

  variables {
    public_subnet_ids = ["a", "b"]
  }

  expect_failures = [var.public_subnet_ids]
}

run "refuses_nodes_in_one_zone" {
  command = plan

  variables {
    private_subnet_ids = ["subnet-0123456789abcdef0"]
  }

  expect_failures = [var.private_subnet_ids]
}

run "refuses_private_subnets_by_name" {
  command = plan

  variables {
    private_subnet_ids = ["a", "b"]
  }

  expect_failures = [var.private_subnet_ids]
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

run "refuses_no_network_which_eks_takes_for_all" {
  command = plan

  variables {
    admin_cidrs = []
  }

  expect_failures = [var.admin_cidrs]
}

run "refuses_a_cluster_that_nobody_administers" {
  command = plan

  variables {
    admin_principal_arns = []
  }

  expect_failures = [var.admin_principal_arns]
}

run "refuses_an_architecture_as_aws_calls_it" {
  command = plan

  variables {
    architecture = "x86_64"
  }

  expect_failures = [var.architecture]
}

run "refuses_what_is_no_type_of_instance" {
  command = plan

  variables {
    instance_types = ["large"]
  }

  expect_failures = [var.instance_types]
}

run "refuses_a_type_of_another_architecture" {
  command = plan

  variables {
    instance_types = ["t4g.large"]
  }

  expect_failures = [var.instance_types]
}

run "refuses_one_node" {
  command = plan

  variables {
    node_count = { min = 1, max = 3, desired = 2 }
  }

  expect_failures = [var.node_count]
}

run "refuses_more_nodes_than_may_be" {
  command = plan

  variables {
    node_count = { min = 2, max = 3, desired = 4 }
  }

  expect_failures = [var.node_count]
}

run "refuses_a_volume_smaller_than_the_images" {
  command = plan

  variables {
    node_volume_gib = 10
  }

  expect_failures = [var.node_volume_gib]
}

run "refuses_an_unknown_addon" {
  command = plan

  variables {
    addon_versions = { cni = "v1" }
  }

  expect_failures = [var.addon_versions]
}

run "refuses_logs_without_an_end" {
  command = plan

  variables {
    log_retention_days = 0
  }

  expect_failures = [var.log_retention_days]
}
