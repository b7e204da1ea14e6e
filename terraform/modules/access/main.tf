locals {
  has_role = var.service_account != null
}

# k3s: nobody there can vouch for a pod to AWS, and the node's own role is out of their reach. The
# access key is made by hand, so that it is in no state: aws iam create-access-key --user-name NAME
resource "aws_iam_user" "main" {
  #checkov:skip=CKV_AWS_273:a program on k3s, for which there is no single sign-on
  count = local.has_role ? 0 : 1

  name = var.name
  # A key that was made by hand would keep it from going.
  force_destroy = true
}

resource "aws_iam_user_policy" "main" {
  #checkov:skip=CKV_AWS_40:the one user of the one policy
  count = local.has_role ? 0 : 1

  name   = var.name
  user   = aws_iam_user.main[0].name
  policy = var.policy
}

# EKS: the cluster vouches for the one ServiceAccount that may be this role.
resource "aws_iam_role" "main" {
  count = local.has_role ? 1 : 0

  name               = var.name
  assume_role_policy = local.trust_policy
}

resource "aws_iam_role_policy" "main" {
  count = local.has_role ? 1 : 0

  name   = var.name
  role   = aws_iam_role.main[0].name
  policy = var.policy
}

locals {
  trust_policy = local.has_role ? jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRoleWithWebIdentity"
      Principal = { Federated = var.service_account.oidc_provider_arn }
      Condition = {
        StringEquals = {
          "${var.service_account.oidc_issuer}:aud" = "sts.amazonaws.com"
          "${var.service_account.oidc_issuer}:sub" = "system:serviceaccount:${var.service_account.namespace}:${var.service_account.name}"
        }
      }
    }]
  }) : null
}
