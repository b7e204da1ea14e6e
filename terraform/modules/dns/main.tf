locals {
  # What live means, and nothing else: the wildcard is every tenant there will ever be.
  names = {
    none   = []
    canary = var.canary_hosts
    live   = ["api.${var.domain}", "*.${var.domain}"]
  }[var.mode]
  types = var.target.alias == null ? ["A"] : ["A", "AAAA"]
  records = {
    for pair in setproduct(local.names, local.types) : "${pair[0]} ${pair[1]}" => {
      name = pair[0], type = pair[1]
    }
  }

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
  for_each = local.records

  zone_id = var.zone_id
  name    = each.value.name
  type    = each.value.type
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
