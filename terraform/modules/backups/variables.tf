variable "bucket" {
  description = "Name of the bucket. Names of buckets are unique in all of AWS."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$", var.bucket))
    error_message = "bucket must be 3 to 63 lower-case letters, digits or hyphens, such as wareit-backups."
  }
}

variable "undelete_days" {
  description = "Days for which a deleted or overwritten object can be brought back."
  type        = number
  default     = 30
  nullable    = false

  validation {
    condition     = var.undelete_days >= 1 && floor(var.undelete_days) == var.undelete_days
    error_message = "undelete_days must be a whole number of at least 1."
  }
}

variable "source_bucket" {
  description = "Bucket of another cluster, whose backups of Postgres may be read, to restore them here; null for none."
  type        = string
  default     = null

  validation {
    condition     = var.source_bucket == null || can(regex("^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$", var.source_bucket))
    error_message = "source_bucket must be the name of a bucket, such as wareit-backups."
  }
}
