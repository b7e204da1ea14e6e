locals {
  etcd_prefix     = "etcd"
  postgres_prefix = "postgres"
  # k3s asks whether the bucket is there, which is the same right without a prefix; IfExists grants it.
  listing = { (local.etcd_prefix) = "StringLikeIfExists", (local.postgres_prefix) = "StringLike" }
  # By folder: to write it, and to read it.
  statements = {
    for prefix, operator in local.listing : prefix => [
      {
        Sid      = "Objects"
        Effect   = "Allow"
        Action   = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"]
        Resource = "${module.bucket.arn}/${prefix}/*"
      },
      {
        Sid       = "List"
        Effect    = "Allow"
        Action    = "s3:ListBucket"
        Resource  = module.bucket.arn
        Condition = { (operator) = { "s3:prefix" = [prefix, "${prefix}/*"] } }
      },
    ]
  }
  # Of another cluster, whose backups are restored here.
  source_statements = flatten([
    for bucket in var.source_bucket[*] : [
      {
        Sid      = "SourceObjects"
        Effect   = "Allow"
        Action   = ["s3:GetObject"]
        Resource = "arn:aws:s3:::${bucket}/${local.postgres_prefix}/*"
      },
      {
        Sid       = "SourceList"
        Effect    = "Allow"
        Action    = ["s3:ListBucket"]
        Resource  = "arn:aws:s3:::${bucket}"
        Condition = { StringLike = { "s3:prefix" = [local.postgres_prefix, "${local.postgres_prefix}/*"] } }
      },
    ]
  ])
  etcd_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = local.statements[local.etcd_prefix]
  })
  postgres_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = concat(local.source_statements, local.statements[local.postgres_prefix])
  })
}

module "bucket" {
  source = "../bucket"

  bucket = var.bucket
}

# The jobs delete what is too old themselves, and keep a last few whatever their age. This is about
# what was deleted or cut off.
resource "aws_s3_bucket_lifecycle_configuration" "main" {
  bucket = module.bucket.bucket

  rule {
    id     = "deleted"
    status = "Enabled"

    filter {}

    noncurrent_version_expiration {
      noncurrent_days = var.undelete_days
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = 2
    }
  }

  depends_on = [module.bucket]
}
