variable "name" {
  description = "Name of the node, and what the names of everything else begin with. It stays."
  type        = string
  default     = "aware-k3s"
  nullable    = false
}

variable "region" {
  description = "Region of everything."
  type        = string
  nullable    = false
}

variable "availability_zone" {
  description = "Zone of the node and its data volume. It stays: a volume cannot move."
  type        = string
  nullable    = false
}

variable "vpc_cidr" {
  description = "Addresses of the VPC."
  type        = string
  default     = "10.0.0.0/16"
  nullable    = false
}

variable "instance_type" {
  description = "Type of the instance; the architecture follows from it. `release-manager capacity` tells what fits."
  type        = string
  default     = "t3.small"
  nullable    = false
}

variable "cpu_credits" {
  description = "What a burstable instance does without credits: `unlimited` or `standard`."
  type        = string
  default     = "unlimited"
  nullable    = false
}

variable "admin_cidrs" {
  description = "IPv4 networks that may reach the Kubernetes API."
  type        = set(string)
  nullable    = false
}

variable "ssh_cidrs" {
  description = "IPv4 networks that may reach SSH; none by default, for SSM Session Manager is the way in."
  type        = set(string)
  default     = []
  nullable    = false
}

variable "data_volume_gib" {
  description = "Size of the data volume in GiB. It can grow, never shrink."
  type        = number
  default     = 40
  nullable    = false
}

variable "data_snapshot_id" {
  description = "Snapshot to make the data volume from, when it is made; null for an empty one."
  type        = string
  default     = null
}

variable "snapshot_keep" {
  description = "How many daily snapshots of the data volume are kept."
  type        = number
  default     = 7
  nullable    = false
}

variable "backup_bucket" {
  description = "Name of the bucket for backups of etcd and Postgres, which is made here."
  type        = string
  nullable    = false
}

variable "ecr_repositories" {
  description = "Names of the ECR repositories in this account that images are pulled from."
  type        = set(string)
  default     = ["aware-gateway", "aware-api"]
  nullable    = false
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

variable "k3s" {
  description = "Version of k3s, and SHA-256 of its binary for the instance's architecture."
  type        = object({ version = string, sha256 = string })
  nullable    = false
}

variable "ecr_credential_provider" {
  description = "Version of Kubernetes' AWS provider, and SHA-256 of its ecr-credential-provider for the instance's architecture."
  type        = object({ version = string, sha256 = string })
  nullable    = false
}

variable "log_retention_days" {
  description = "Days for which the system's log is kept in CloudWatch; 0 keeps it on the node alone."
  type        = number
  default     = 0
  nullable    = false
}
