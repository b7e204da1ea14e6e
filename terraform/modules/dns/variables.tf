variable "zone_id" {
  description = "ID of the hosted zone."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^Z[A-Z0-9]{1,31}$", var.zone_id))
    error_message = "zone_id must be the ID of a hosted zone, such as Z0000000000000000000."
  }
}

variable "domain" {
  description = "Domain below which the API and the tenants have their hosts."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^([a-z0-9]([a-z0-9-]*[a-z0-9])?\\.)+[a-z]{2,}$", var.domain))
    error_message = "domain must be a domain name in lower case, such as wareit.ai."
  }
}

variable "mode" {
  description = "Which names point to the target: `none`; `canary`, those of canary_hosts; `live`, api and the wildcard."
  type        = string
  default     = "none"
  nullable    = false

  validation {
    condition     = contains(["none", "canary", "live"], var.mode)
    error_message = "mode must be none, canary or live."
  }

  validation {
    condition     = var.mode != "canary" || length(var.canary_hosts) > 0
    error_message = "mode canary needs at least one host in canary_hosts."
  }
}

variable "canary_hosts" {
  description = "Hosts that point to the target in mode `canary`."
  type        = set(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for host in var.canary_hosts : endswith(host, ".${var.domain}") && host == lower(host)])
    error_message = "canary_hosts must be below the domain, in lower case, such as canary.wareit.ai."
  }

  validation {
    condition     = alltrue([for host in var.canary_hosts : !strcontains(host, "*") && !startswith(host, "api.")])
    error_message = "canary_hosts must be single hosts other than the API's: the wildcard and api are what live is for."
  }
}

variable "target" {
  description = "Where the names point: an IPv4 address, or a load balancer as alias."
  type = object({
    address = optional(string)
    alias   = optional(object({ name = string, zone_id = string }))
  })
  nullable = false

  validation {
    condition     = (var.target.address == null) != (var.target.alias == null)
    error_message = "target must have either an address or an alias."
  }
}

variable "ttl_seconds" {
  description = "How long resolvers remember an address: as long a way back takes."
  type        = number
  default     = 60
  nullable    = false

  validation {
    condition     = var.ttl_seconds >= 30 && var.ttl_seconds <= 3600 && floor(var.ttl_seconds) == var.ttl_seconds
    error_message = "ttl_seconds must be a whole number from 30 to 3600."
  }
}
