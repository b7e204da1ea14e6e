variable "bucket" {
  description = "Name of the bucket. Names of buckets are unique in all of AWS."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$", var.bucket))
    error_message = "bucket must be 3 to 63 lower-case letters, digits or hyphens, such as wareit-backups."
  }
}
