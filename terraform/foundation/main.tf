# What outlives every cluster, and was there before the first: nothing here is ever destroyed.

provider "aws" {
  region = var.region

  default_tags {
    tags = { project = "aware", root = "foundation" }
  }
}

# What the old stack made is taken over, not made again.
import {
  for_each = var.existing.zone_id[*]
  to       = aws_route53_zone.main
  id       = each.value
}

import {
  for_each = var.existing.repositories
  to       = aws_ecr_repository.main[each.value]
  id       = each.value
}

import {
  for_each = var.existing.has_state_bucket ? toset([var.state_bucket]) : toset([])
  to       = module.state.aws_s3_bucket.main
  id       = each.value
}

# ---- The zone ----

resource "aws_route53_zone" "main" {
  #checkov:skip=CKV2_AWS_38:DNSSEC has to be agreed with the registrar, or no name is found
  #checkov:skip=CKV2_AWS_39:who asks for which name is nothing that we need to know
  name    = var.domain
  comment = var.zone_comment

  lifecycle {
    # A new one would have other name servers, and no name of the domain would be found.
    prevent_destroy = true
  }
}

# ---- The repositories ----

resource "aws_ecr_repository" "main" {
  #checkov:skip=CKV_AWS_51:tag_mutability is for the time in which an old pipeline still pushes
  #checkov:skip=CKV_AWS_136:AWS' own key encrypts it; a repository cannot be changed to another
  for_each = var.repositories

  name = each.value
  # What a release names cannot become something else.
  image_tag_mutability = var.tag_mutability

  image_scanning_configuration {
    scan_on_push = true
  }

  encryption_configuration {
    encryption_type = "AES256"
  }

  lifecycle {
    prevent_destroy = true
    # It cannot be changed: a repository that is taken over keeps what it was made with.
    ignore_changes = [encryption_configuration]
  }
}

resource "aws_ecr_lifecycle_policy" "main" {
  for_each = var.untagged_days > 0 ? var.repositories : []

  repository = aws_ecr_repository.main[each.value].name
  # Tagged images stay: a tenant may be rolled back to any of them.
  policy = jsonencode({
    rules = [{
      rulePriority = 1
      description  = "Images without a tag go"
      selection = {
        tagStatus   = "untagged"
        countType   = "sinceImagePushed"
        countUnit   = "days"
        countNumber = var.untagged_days
      }
      action = { type = "expire" }
    }]
  })
}

# ---- What volumes are made with ----

# Of the whole account in this region: the default StorageClass of EKS leaves it to this.
resource "aws_ebs_encryption_by_default" "main" {
  enabled = true

  lifecycle {
    # Without it new volumes would be unencrypted.
    prevent_destroy = true
  }
}

# ---- Terraform's own state ----

module "state" {
  source = "../modules/bucket"

  bucket = var.state_bucket
}
