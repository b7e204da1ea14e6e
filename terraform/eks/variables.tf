variable "name" {
  description = "Name of the cluster, and what the names of everything else begin with. It stays."
  type        = string
  default     = "aware-eks"
  nullable    = false
}

variable "region" {
  description = "Region of everything."
  type        = string
  nullable    = false
}

variable "availability_zones" {
  description = "Zones of the nodes and the load balancer, at least two. Append, never insert."
  type        = list(string)
  nullable    = false

  validation {
    condition     = length(var.availability_zones) >= 2
    error_message = "availability_zones must name at least two zones."
  }

  validation {
    condition     = alltrue([for zone in var.availability_zones : startswith(zone, var.region)])
    error_message = "availability_zones must be zones of the region, such as eu-central-1a."
  }
}

variable "vpc_cidr" {
  description = "Addresses of the VPC."
  type        = string
  default     = "10.0.0.0/16"
  nullable    = false
}

variable "kubernetes_version" {
  description = "Minor version of Kubernetes. The charts need 1.30 or newer."
  type        = string
  default     = "1.35"
  nullable    = false
}

variable "is_private" {
  description = "Whether the Kubernetes API is reached from the VPC alone."
  type        = bool
  default     = false
  nullable    = false
}

variable "admin_cidrs" {
  description = "IPv4 networks that may reach the Kubernetes API, unless it is private."
  type        = set(string)
  default     = []
  nullable    = false
}

variable "admin_principal_arns" {
  description = "ARNs of the IAM users and roles that administer the cluster. Nobody else can, not even who made it."
  type        = set(string)
  nullable    = false
}

variable "architecture" {
  description = "Architecture of the nodes, as Kubernetes calls it. The instance types have to be of it."
  type        = string
  default     = "amd64"
  nullable    = false
}

variable "instance_types" {
  description = "Types of the nodes, the preferred one first."
  type        = list(string)
  default     = ["t3.large"]
  nullable    = false
}

variable "node_count" {
  description = "Least, most and first number of nodes."
  type        = object({ min = number, max = number, desired = number })
  default     = { min = 2, max = 6, desired = 2 }
  nullable    = false
}

variable "node_volume_gib" {
  description = "Size of each node's root volume in GiB."
  type        = number
  default     = 40
  nullable    = false
}

variable "addon_versions" {
  description = "Versions of add-ons, by name; the default of the cluster's version where there is none."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "backup_bucket" {
  description = "Name of the bucket for backups of etcd and Postgres, which is made here."
  type        = string
  nullable    = false
}

variable "namespace" {
  description = "Namespace of the platform: `namespace` of fleet.yaml."
  type        = string
  default     = "aware"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$", var.namespace))
    error_message = "namespace must be a name of Kubernetes, such as aware."
  }
}

variable "source_bucket" {
  description = "Bucket of another cluster, whose backups of Postgres may be read, to restore them here; null for none."
  type        = string
  default     = null
}

variable "zone_id" {
  description = "ID of the hosted zone: output zone_id of terraform/foundation."
  type        = string
  nullable    = false
}

variable "domain" {
  description = "Domain below which the API and the tenants have their hosts."
  type        = string
  default     = "wareit.ai"
  nullable    = false
}

variable "dns_mode" {
  description = "Which names point here: `none`; `canary`, those of canary_hosts; `live`, api and the wildcard."
  type        = string
  default     = "none"
  nullable    = false
}

variable "canary_hosts" {
  description = "Hosts that point here in mode `canary`."
  type        = set(string)
  default     = []
  nullable    = false
}

variable "log_retention_days" {
  description = "Days for which the control plane's logs are kept in CloudWatch."
  type        = number
  default     = 30
  nullable    = false
}
