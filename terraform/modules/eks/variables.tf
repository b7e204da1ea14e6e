variable "name" {
  description = "Name of the cluster, and what the names of its parts begin with."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,24}[a-z0-9]$", var.name))
    error_message = "name must be 2 to 26 lower-case letters, digits or hyphens, such as aware-eks."
  }
}

variable "account_id" {
  description = "Account that the cluster is in."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[0-9]{12}$", var.account_id))
    error_message = "account_id must be the 12 digits of an AWS account."
  }
}

variable "kubernetes_version" {
  description = "Minor version of Kubernetes. The charts need 1.30 or newer."
  type        = string
  default     = "1.35"
  nullable    = false

  validation {
    condition     = can(regex("^1\\.(3[0-9]|[4-9][0-9])$", var.kubernetes_version))
    error_message = "kubernetes_version must be a minor version from 1.30 on, such as 1.35."
  }
}

variable "vpc_id" {
  description = "ID of the VPC."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^vpc-[0-9a-f]{8,17}$", var.vpc_id))
    error_message = "vpc_id must be an ID such as vpc-0123456789abcdef0."
  }
}

variable "public_subnet_ids" {
  description = "IDs of the subnets of the load balancer, each in a zone of its own."
  type        = list(string)
  nullable    = false

  validation {
    condition     = length(var.public_subnet_ids) >= 2
    error_message = "public_subnet_ids must be of at least two zones."
  }

  validation {
    condition     = alltrue([for id in var.public_subnet_ids : can(regex("^subnet-[0-9a-f]{8,17}$", id))])
    error_message = "public_subnet_ids must be IDs such as subnet-0123456789abcdef0."
  }
}

variable "private_subnet_ids" {
  description = "IDs of the subnets of the nodes, each in a zone of its own."
  type        = list(string)
  nullable    = false

  validation {
    condition     = length(var.private_subnet_ids) >= 2
    error_message = "private_subnet_ids must be of at least two zones."
  }

  validation {
    condition     = alltrue([for id in var.private_subnet_ids : can(regex("^subnet-[0-9a-f]{8,17}$", id))])
    error_message = "private_subnet_ids must be IDs such as subnet-0123456789abcdef0."
  }
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

  validation {
    condition     = alltrue([for cidr in var.admin_cidrs : can(cidrnetmask(cidr))])
    error_message = "admin_cidrs must be IPv4 networks, such as 203.0.113.7/32."
  }

  validation {
    condition     = alltrue([for cidr in var.admin_cidrs : try(tonumber(split("/", cidr)[1]) >= 8, false)])
    error_message = "admin_cidrs must not open the Kubernetes API to the world: name networks of /8 or smaller, never 0.0.0.0/0 or ::/0."
  }

  validation {
    # EKS takes an empty list for the whole world.
    condition     = var.is_private || length(var.admin_cidrs) > 0
    error_message = "admin_cidrs must name at least one network, or set is_private."
  }
}

variable "admin_principal_arns" {
  description = "ARNs of the IAM users and roles that administer the cluster. Nobody else can, not even who made it."
  type        = set(string)
  nullable    = false

  validation {
    condition     = length(var.admin_principal_arns) > 0 && alltrue([for arn in var.admin_principal_arns : can(regex("^arn:aws:iam::[0-9]{12}:(user|role)/[A-Za-z0-9+=,.@_/-]+$", arn))])
    error_message = "admin_principal_arns must be ARNs of IAM users or roles, at least one."
  }
}

variable "architecture" {
  description = "Architecture of the nodes, as Kubernetes calls it. The instance types have to be of it."
  type        = string
  default     = "amd64"
  nullable    = false

  validation {
    condition     = contains(["amd64", "arm64"], var.architecture)
    error_message = "architecture must be amd64 or arm64."
  }
}

variable "instance_types" {
  description = "Types of the nodes, the preferred one first."
  type        = list(string)
  default     = ["t3.large"]
  nullable    = false

  validation {
    condition     = length(var.instance_types) > 0 && alltrue([for type in var.instance_types : can(regex("^[a-z]+[0-9]+[a-z-]*\\.([0-9]+)?(small|medium|large|xlarge)$", type))])
    error_message = "instance_types must be types of EC2 from small on, such as t3.large."
  }

  validation {
    condition = alltrue([
      for type in var.instance_types :
      (length(regexall("^[a-z]+[0-9]+[a-z]*g[a-z]*\\.", type)) > 0) == (var.architecture == "arm64")
    ])
    error_message = "instance_types must be of the architecture: t4g and others with a g behind their number are arm64."
  }
}

variable "node_count" {
  description = "Least, most and first number of nodes."
  type        = object({ min = number, max = number, desired = number })
  default     = { min = 2, max = 6, desired = 2 }
  nullable    = false

  validation {
    condition     = var.node_count.min >= 2
    error_message = "node_count.min must be at least 2, one in each zone."
  }

  validation {
    condition     = var.node_count.min <= var.node_count.desired && var.node_count.desired <= var.node_count.max
    error_message = "node_count must be min <= desired <= max."
  }
}

variable "node_volume_gib" {
  description = "Size of each node's root volume in GiB."
  type        = number
  default     = 40
  nullable    = false

  validation {
    condition     = var.node_volume_gib >= 20 && floor(var.node_volume_gib) == var.node_volume_gib
    error_message = "node_volume_gib must be a whole number of at least 20."
  }
}

variable "addon_versions" {
  description = "Versions of add-ons, by name; the default of the cluster's version where there is none."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = length(setsubtract(keys(var.addon_versions), ["aws-ebs-csi-driver", "coredns", "kube-proxy", "vpc-cni"])) == 0
    error_message = "addon_versions may name aws-ebs-csi-driver, coredns, kube-proxy and vpc-cni."
  }
}

variable "log_retention_days" {
  description = "Days for which the control plane's logs are kept in CloudWatch."
  type        = number
  default     = 30
  nullable    = false

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365], var.log_retention_days)
    error_message = "log_retention_days must be what CloudWatch offers: 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180 or 365."
  }
}
