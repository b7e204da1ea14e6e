# Every rule of variables.tf, kept and broken once. No AWS: its answers are made up.

mock_provider "aws" {}

variables {
  name   = "aware-backups"
  policy = "{\"Version\": \"2012-10-17\", \"Statement\": []}"
}

run "takes_what_is_right" {
  command = plan

  assert {
    condition     = length(aws_iam_user.main) == 1 && length(aws_iam_role.main) == 0
    error_message = "without a ServiceAccount there must be a user and no role"
  }
}

run "takes_a_role" {
  command = plan

  variables {
    service_account = { oidc_provider_arn = "arn:aws:iam::123456789012:oidc-provider/x", oidc_issuer = "x", namespace = "aware", name = "postgres-backup" }
  }

  assert {
    condition     = length(aws_iam_role.main) == 1 && length(aws_iam_user.main) == 0
    error_message = "a ServiceAccount gets a role and no user"
  }

  assert {
    condition     = jsondecode(aws_iam_role.main[0].assume_role_policy).Statement[0].Condition.StringEquals["x:sub"] == "system:serviceaccount:aware:postgres-backup"
    error_message = "only the one ServiceAccount may be the role"
  }
}

run "refuses_a_space_in_the_name" {
  command = plan

  variables {
    name = "a b"
  }

  expect_failures = [var.name]
}

run "refuses_a_policy_without_a_statement" {
  command = plan

  variables {
    policy = "{}"
  }

  expect_failures = [var.policy]
}

run "refuses_an_issuer_with_a_scheme" {
  command = plan

  variables {
    service_account = { oidc_provider_arn = "arn:aws:iam::123456789012:oidc-provider/x", oidc_issuer = "https://x", namespace = "aware", name = "postgres-backup" }
  }

  expect_failures = [var.service_account]
}
