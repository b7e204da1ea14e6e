locals {
  etcd_prefix     = "etcd"
  postgres_prefix = "postgres"
  # k3s asks whether the bucket is there, which is the same right without a prefix; IfExists grants it.
  listing = { (local.etcd_prefix) = "StringLikeIfExists", (local.postgres_prefix) = "StringLike" }
  # Of another cluster, whose backups are restored here.
  source_arns = [for bucket in var.source_bucket[*] : "arn:aws:s3:::${bucket}"]
  source_statements = flatten([
    for arn in local.source_arns : [
      {
        Sid      = "SourceObjects"
        Effect   = "Allow"
        Action   = ["s3:GetObject"]
        Resource = "${arn}/${local.postgres_prefix}/*"
      },
      {
        Sid       = "SourceList"
        Effect    = "Allow"
        Action    = ["s3:ListBucket"]
        Resource  = arn
        Condition = { StringLike = { "s3:prefix" = [local.postgres_prefix, "${local.postgres_prefix}/*"] } }
      },
    ]
  ])
  policies = {
    for prefix in [local.etcd_prefix, local.postgres_prefix] : prefix => jsonencode({
      Version = "2012-10-17"
      Statement = concat([for statement in local.source_statements : statement if prefix == local.postgres_prefix], [
        {
          Sid      = "Objects"
          Effect   = "Allow"
          Action   = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"]
          Resource = "${aws_s3_bucket.main.arn}/${prefix}/*"
        },
        {
          Sid       = "List"
          Effect    = "Allow"
          Action    = "s3:ListBucket"
          Resource  = aws_s3_bucket.main.arn
          Condition = { (local.listing[prefix]) = { "s3:prefix" = [prefix, "${prefix}/*"] } }
        },
      ])
    })
  }
  transport_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "TlsOnly"
      Effect    = "Deny"
      Principal = "*"
      Action    = "s3:*"
      Resource  = [aws_s3_bucket.main.arn, "${aws_s3_bucket.main.arn}/*"]
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }]
  })
}

resource "aws_s3_bucket" "main" {
  #checkov:skip=CKV_AWS_18:who read a backup is in CloudTrail, where that is wanted
  #checkov:skip=CKV_AWS_144:one copy in another place is enough; the data itself is at home
  #checkov:skip=CKV2_AWS_62:nobody waits for an event; release-manager doctor asks for the last backup
  bucket = var.bucket

  lifecycle {
    prevent_destroy = true
  }
}

resource "aws_s3_bucket_versioning" "main" {
  bucket = aws_s3_bucket.main.id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "main" {
  bucket = aws_s3_bucket.main.id

  rule {
    bucket_key_enabled = true

    apply_server_side_encryption_by_default {
      sse_algorithm = "aws:kms"
    }
  }
}

resource "aws_s3_bucket_public_access_block" "main" {
  bucket = aws_s3_bucket.main.id

  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_policy" "main" {
  bucket = aws_s3_bucket.main.id
  policy = local.transport_policy

  depends_on = [aws_s3_bucket_public_access_block.main]
}

# The jobs delete what is too old themselves, and keep a last few whatever their age. This is about
# what was deleted or cut off.
resource "aws_s3_bucket_lifecycle_configuration" "main" {
  bucket = aws_s3_bucket.main.id

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

  depends_on = [aws_s3_bucket_versioning.main]
}
