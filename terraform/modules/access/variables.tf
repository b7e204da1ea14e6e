variable "name" {
  description = "Name of the user or role, and of its policy."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9+=,.@_-]{1,64}$", var.name))
    error_message = "name must be 1 to 64 letters, digits or +=,.@_-, such as aware-backups."
  }
}

variable "policy" {
  description = "What it may do, as JSON."
  type        = string
  nullable    = false

  validation {
    condition     = can(jsondecode(var.policy).Statement)
    error_message = "policy must be an IAM policy as JSON, with a Statement."
  }
}

variable "service_account" {
  description = "ServiceAccount of EKS that may be this role; null for a user, whose access key is made by hand. oidc_issuer is without a scheme."
  type = object({
    oidc_provider_arn = string
    oidc_issuer       = string
    namespace         = string
    name              = string
  })
  default = null

  validation {
    condition     = var.service_account == null ? true : !strcontains(var.service_account.oidc_issuer, "://")
    error_message = "service_account.oidc_issuer must be without https://."
  }
}
