locals {
  # What live means, and nothing else: the wildcard is every tenant there will ever be.
  names = {
    none   = []
    canary = var.canary_hosts
    live   = ["api.${var.domain}", "*.${var.domain}"]
  }[var.mode]

  # Host and wildcard have the same challenge. cert-manager adds and removes its TXT record alone.
  challenge_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "Challenges"
        Effect   = "Allow"
        Action   = "route53:ChangeResourceRecordSets"
        Resource = "arn:aws:route53:::hostedzone/${var.zone_id}"
        Condition = {
          "ForAllValues:StringEquals" = {
            "route53:ChangeResourceRecordSetsNormalizedRecordNames" = ["_acme-challenge.${var.domain}"]
            "route53:ChangeResourceRecordSetsRecordTypes"           = ["TXT"]
          }
        }
      },
      {
        Sid      = "Records"
        Effect   = "Allow"
        Action   = "route53:ListResourceRecordSets"
        Resource = "arn:aws:route53:::hostedzone/${var.zone_id}"
      },
      {
        Sid      = "Changes"
        Effect   = "Allow"
        Action   = "route53:GetChange"
        Resource = "arn:aws:route53:::change/*"
      },
    ]
  })
}

resource "aws_route53_record" "host" {
  #checkov:skip=CKV2_AWS_23:the address is that of another module, which checkov does not follow
  for_each = toset(local.names)

  zone_id = var.zone_id
  name    = each.value
  type    = "A"
  # A record that is there belongs to somebody else: the apply fails instead of taking it over.
  allow_overwrite = false
  ttl             = var.target.address == null ? null : var.ttl_seconds
  records         = var.target.address == null ? null : [var.target.address]

  dynamic "alias" {
    for_each = var.target.alias[*]

    content {
      name                   = alias.value.name
      zone_id                = alias.value.zone_id
      evaluate_target_health = true
    }
  }
}
