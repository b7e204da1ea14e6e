variable "region" {
  description = "Region of the repositories and the state bucket."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "region must be the name of a region, such as eu-central-1."
  }
}

variable "domain" {
  description = "Domain of the hosted zone."
  type        = string
  default     = "wareit.ai"
  nullable    = false

  validation {
    condition     = can(regex("^([a-z0-9]([a-z0-9-]*[a-z0-9])?\\.)+[a-z]{2,}$", var.domain))
    error_message = "domain must be a domain name in lower case, such as wareit.ai."
  }
}

variable "zone_comment" {
  description = "Comment of the hosted zone."
  type        = string
  default     = "Aware: the API and the tenants"
  nullable    = false

  validation {
    condition     = length(var.zone_comment) <= 256
    error_message = "zone_comment must have at most 256 characters."
  }
}

variable "repositories" {
  description = "Names of the ECR repositories."
  type        = set(string)
  default     = ["aware-gateway", "aware-api"]
  nullable    = false

  validation {
    condition     = length(var.repositories) > 0 && alltrue([for name in var.repositories : can(regex("^[a-z0-9]+([._/-][a-z0-9]+)*$", name))])
    error_message = "repositories must be names of ECR repositories, such as aware-gateway."
  }
}

variable "tag_mutability" {
  description = "Whether a tag can be pushed again: `IMMUTABLE`; `MUTABLE` while an old pipeline still does so."
  type        = string
  default     = "IMMUTABLE"
  nullable    = false

  validation {
    condition     = contains(["IMMUTABLE", "MUTABLE"], var.tag_mutability)
    error_message = "tag_mutability must be IMMUTABLE or MUTABLE."
  }
}

variable "untagged_days" {
  description = "Days after which images without a tag go; 0 keeps them, while the old stack may name them by digest."
  type        = number
  default     = 14
  nullable    = false

  validation {
    condition     = var.untagged_days >= 0 && floor(var.untagged_days) == var.untagged_days
    error_message = "untagged_days must be a whole number, 0 or more."
  }
}

variable "state_bucket" {
  description = "Name of the bucket of Terraform's state, of all roots."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$", var.state_bucket))
    error_message = "state_bucket must be 3 to 63 lower-case letters, digits or hyphens, such as wareit-terraform."
  }
}

variable "existing" {
  description = "What is there already and is taken over: the zone's ID, repositories, whether the state bucket is."
  type = object({
    zone_id          = optional(string)
    repositories     = optional(set(string), [])
    has_state_bucket = optional(bool, false)
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.existing.zone_id == null || can(regex("^Z[A-Z0-9]{1,31}$", var.existing.zone_id))
    error_message = "existing.zone_id must be the ID of a hosted zone, such as Z0000000000000000000."
  }

  validation {
    condition     = length(setsubtract(var.existing.repositories, var.repositories)) == 0
    error_message = "existing.repositories must be among repositories."
  }
}
