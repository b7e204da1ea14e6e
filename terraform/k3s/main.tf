provider "aws" {
  region = var.region

  default_tags {
    tags = { project = "aware", root = "k3s" }
  }
}

data "aws_caller_identity" "current" {}

locals {
  account_id = data.aws_caller_identity.current.account_id
  registry   = "${local.account_id}.dkr.ecr.${var.region}.amazonaws.com"
  repositories = [
    for name in var.ecr_repositories : "arn:aws:ecr:${var.region}:${local.account_id}:repository/${name}"
  ]
}

module "network" {
  source = "../modules/network"

  name               = var.name
  region             = var.region
  cidr               = var.vpc_cidr
  availability_zones = [var.availability_zone]
}

module "backups" {
  source = "../modules/backups"

  bucket        = var.backup_bucket
  source_bucket = var.source_bucket
}

module "node" {
  source = "../modules/k3s-node"

  name                    = var.name
  account_id              = local.account_id
  region                  = var.region
  availability_zone       = var.availability_zone
  vpc_id                  = module.network.vpc_id
  subnet_id               = module.network.public_subnet_ids[var.availability_zone]
  subnet_cidr             = module.network.public_subnet_cidrs[var.availability_zone]
  instance_type           = var.instance_type
  cpu_credits             = var.cpu_credits
  admin_cidrs             = var.admin_cidrs
  ssh_cidrs               = var.ssh_cidrs
  data_volume_gib         = var.data_volume_gib
  data_snapshot_id        = var.data_snapshot_id
  snapshot_keep           = var.snapshot_keep
  ecr_repository_arns     = local.repositories
  parameter_path          = "/${var.name}"
  k3s                     = var.k3s
  ecr_credential_provider = var.ecr_credential_provider
  log_retention_days      = var.log_retention_days

  etcd_backups = {
    bucket = module.backups.bucket
    prefix = module.backups.etcd_prefix
    policy = module.backups.etcd_policy
  }
}

module "dns" {
  source = "../modules/dns"

  zone_id      = var.zone_id
  domain       = var.domain
  mode         = var.dns_mode
  canary_hosts = var.canary_hosts
  target       = { address = module.node.public_ip }
}

module "backup_access" {
  source = "../modules/access"

  name   = "${var.name}-backups"
  policy = module.backups.postgres_policy
}

module "certificate_access" {
  source = "../modules/access"

  name   = "${var.name}-certificates"
  policy = module.dns.challenge_policy
}
