variable "name" {
  description = "Name of the node, in AWS and in Kubernetes. It stays: volumes on the node are bound to it."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,30}[a-z0-9]$", var.name))
    error_message = "name must be 2 to 32 lower-case letters, digits or hyphens, such as aware-k3s."
  }
}

variable "account_id" {
  description = "Account that the node is in."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[0-9]{12}$", var.account_id))
    error_message = "account_id must be the 12 digits of an AWS account."
  }
}

variable "region" {
  description = "Region that the node is in."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "region must be the name of a region, such as eu-central-1."
  }
}

variable "availability_zone" {
  description = "Zone of the subnet, for the data volume."
  type        = string
  nullable    = false

  validation {
    condition     = startswith(var.availability_zone, var.region)
    error_message = "availability_zone must be a zone of the region, such as eu-central-1a."
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

variable "subnet_id" {
  description = "ID of a public subnet."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^subnet-[0-9a-f]{8,17}$", var.subnet_id))
    error_message = "subnet_id must be an ID such as subnet-0123456789abcdef0."
  }
}

variable "subnet_cidr" {
  description = "Addresses of the subnet. The node gets the tenth."
  type        = string
  nullable    = false

  validation {
    condition     = can(cidrhost(var.subnet_cidr, 10)) && can(cidrnetmask(var.subnet_cidr))
    error_message = "subnet_cidr must be an IPv4 network of at least /28, such as 10.0.0.0/20."
  }
}

variable "instance_type" {
  description = "Type of the instance; the architecture follows from it. `release-manager capacity` tells what fits."
  type        = string
  default     = "t3.small"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]+[0-9]+[a-z-]*\\.([0-9]+)?(nano|micro|small|medium|large|xlarge)$", var.instance_type))
    error_message = "instance_type must be a type of EC2, such as t3.small or t4g.large."
  }

  validation {
    condition     = !can(regex("\\.(nano|micro)$", var.instance_type))
    error_message = "instance_type needs 2 GiB of memory for k3s alone: t3.small or larger."
  }

  validation {
    condition     = !can(regex("^(a1|c[1-4]|d2|g[2-3]|h1|i[2-3]|m[1-4]|p[2-3]|r[3-4]|t[1-2]|x1e?)[.]", var.instance_type))
    error_message = "instance_type must be of the Nitro system, where a volume is found by its ID, and of its second generation at least: t3 instead of t2."
  }
}

variable "cpu_credits" {
  description = "What a burstable instance does without credits: `unlimited` goes on for a price, `standard` slows all tenants down."
  type        = string
  default     = "unlimited"
  nullable    = false

  validation {
    condition     = contains(["unlimited", "standard"], var.cpu_credits)
    error_message = "cpu_credits must be unlimited or standard."
  }
}

variable "admin_cidrs" {
  description = "IPv4 networks that may reach the Kubernetes API."
  type        = set(string)
  nullable    = false

  validation {
    condition     = alltrue([for cidr in var.admin_cidrs : can(cidrnetmask(cidr))])
    error_message = "admin_cidrs must be IPv4 networks, such as 203.0.113.7/32."
  }

  validation {
    condition     = alltrue([for cidr in var.admin_cidrs : try(tonumber(split("/", cidr)[1]) >= 8, false)])
    error_message = "admin_cidrs must not open the Kubernetes API to the world: name networks of /8 or smaller, never 0.0.0.0/0 or ::/0."
  }
}

variable "ssh_cidrs" {
  description = "IPv4 networks that may reach SSH; none by default, for SSM Session Manager is the way in."
  type        = set(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for cidr in var.ssh_cidrs : can(cidrnetmask(cidr))])
    error_message = "ssh_cidrs must be IPv4 networks, such as 203.0.113.7/32."
  }

  validation {
    condition     = alltrue([for cidr in var.ssh_cidrs : try(tonumber(split("/", cidr)[1]) >= 8, false)])
    error_message = "ssh_cidrs must not open SSH to the world: name networks of /8 or smaller, never 0.0.0.0/0 or ::/0."
  }
}

variable "root_volume_gib" {
  description = "Size of the root volume in GiB: the system. It goes with the instance."
  type        = number
  default     = 10
  nullable    = false

  validation {
    condition     = var.root_volume_gib >= 8 && floor(var.root_volume_gib) == var.root_volume_gib
    error_message = "root_volume_gib must be a whole number of at least 8."
  }
}

variable "data_volume_gib" {
  description = "Size of the data volume in GiB: etcd, images, the database, tenants' volumes. It can grow, never shrink."
  type        = number
  default     = 40
  nullable    = false

  validation {
    condition     = var.data_volume_gib >= 10 && floor(var.data_volume_gib) == var.data_volume_gib
    error_message = "data_volume_gib must be a whole number of at least 10."
  }
}

variable "data_snapshot_id" {
  description = "Snapshot to make the data volume from, when it is made; null for an empty one."
  type        = string
  default     = null

  validation {
    condition     = var.data_snapshot_id == null || can(regex("^snap-[0-9a-f]{8,17}$", var.data_snapshot_id))
    error_message = "data_snapshot_id must be the ID of a snapshot, such as snap-0123456789abcdef0."
  }
}

variable "snapshot_keep" {
  description = "How many daily snapshots of the data volume are kept."
  type        = number
  default     = 7
  nullable    = false

  validation {
    condition     = var.snapshot_keep >= 1 && var.snapshot_keep <= 1000 && floor(var.snapshot_keep) == var.snapshot_keep
    error_message = "snapshot_keep must be a whole number from 1 to 1000."
  }
}

variable "etcd_backups" {
  description = "Bucket and folder of k3s' snapshots of etcd, and the policy that opens it, as JSON."
  type = object({
    bucket = string
    prefix = string
    policy = string
  })
  nullable = false

  validation {
    condition     = can(jsondecode(var.etcd_backups.policy).Statement)
    error_message = "etcd_backups.policy must be an IAM policy as JSON, with a Statement."
  }
}

variable "ecr_repository_arns" {
  description = "ARNs of the ECR repositories that images are pulled from."
  type        = set(string)
  nullable    = false

  validation {
    condition     = length(var.ecr_repository_arns) > 0 && alltrue([for arn in var.ecr_repository_arns : can(regex("^arn:aws:ecr:[a-z0-9-]+:[0-9]{12}:repository/[a-z0-9/_.-]+$", arn))])
    error_message = "ecr_repository_arns must be ARNs of ECR repositories, without wildcards."
  }
}

variable "parameter_path" {
  description = "Path of the SSM parameters that the node writes: kubeconfig and token."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^(/[A-Za-z0-9_.-]+)+$", var.parameter_path)) && !can(regex("^/(aws|ssm)", var.parameter_path))
    error_message = "parameter_path must be a path such as /aware/k3s, not below /aws or /ssm."
  }
}

variable "tls_names" {
  description = "More names of the Kubernetes API in its certificate."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for name in var.tls_names : can(regex("^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$", name))])
    error_message = "tls_names must be host names or IPv4 addresses."
  }
}

variable "k3s" {
  description = "Version of k3s, and SHA-256 of its binary for the instance's architecture: sha256sum-ARCH.txt of the release."
  type        = object({ version = string, sha256 = string })
  nullable    = false

  validation {
    condition     = can(regex("^v1\\.[0-9]+\\.[0-9]+\\+k3s[0-9]+$", var.k3s.version))
    error_message = "k3s.version must be the name of a release, such as v1.35.8+k3s1."
  }

  validation {
    condition     = can(regex("^[0-9a-f]{64}$", var.k3s.sha256))
    error_message = "k3s.sha256 must be 64 hexadecimal digits in lower case."
  }
}

variable "ecr_credential_provider" {
  description = "Version of Kubernetes' AWS provider, and SHA-256 of its ecr-credential-provider for the instance's architecture: the file of that name with .sha256."
  type        = object({ version = string, sha256 = string })
  nullable    = false

  validation {
    condition     = can(regex("^v1\\.[0-9]+\\.[0-9]+$", var.ecr_credential_provider.version))
    error_message = "ecr_credential_provider.version must be the name of a release, such as v1.35.0."
  }

  validation {
    condition     = can(regex("^[0-9a-f]{64}$", var.ecr_credential_provider.sha256))
    error_message = "ecr_credential_provider.sha256 must be 64 hexadecimal digits in lower case."
  }
}

variable "log_retention_days" {
  description = "Days for which the system's log is kept in CloudWatch; 0 keeps it on the node alone."
  type        = number
  default     = 0
  nullable    = false

  validation {
    condition     = contains([0, 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365], var.log_retention_days)
    error_message = "log_retention_days must be 0 or what CloudWatch offers: 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180 or 365."
  }
}
