provider "aws" {
  region = var.region

  default_tags {
    tags = { project = "aware", root = "eks" }
  }
}

data "aws_caller_identity" "current" {}

locals {
  account_id = data.aws_caller_identity.current.account_id
  registry   = "${local.account_id}.dkr.ecr.${var.region}.amazonaws.com"
  oidc = {
    oidc_provider_arn = module.cluster.oidc_provider_arn
    oidc_issuer       = module.cluster.oidc_issuer
  }
}

module "network" {
  source = "../modules/network"

  name                = var.name
  region              = var.region
  cidr                = var.vpc_cidr
  availability_zones  = var.availability_zones
  has_private_subnets = true
}

module "backups" {
  source = "../modules/backups"

  bucket        = var.backup_bucket
  source_bucket = var.source_bucket
}

module "cluster" {
  source = "../modules/eks"

  name                 = var.name
  account_id           = local.account_id
  kubernetes_version   = var.kubernetes_version
  vpc_id               = module.network.vpc_id
  public_subnet_ids    = [for zone in var.availability_zones : module.network.public_subnet_ids[zone]]
  private_subnet_ids   = [for zone in var.availability_zones : module.network.private_subnet_ids[zone]]
  is_private           = var.is_private
  admin_cidrs          = var.admin_cidrs
  admin_principal_arns = var.admin_principal_arns
  architecture         = var.architecture
  instance_types       = var.instance_types
  node_count           = var.node_count
  node_volume_gib      = var.node_volume_gib
  addon_versions       = var.addon_versions
  log_retention_days   = var.log_retention_days
}

module "dns" {
  source = "../modules/dns"

  zone_id      = var.zone_id
  domain       = var.domain
  mode         = var.dns_mode
  canary_hosts = var.canary_hosts
  target       = { alias = module.cluster.load_balancer }
}

module "backup_access" {
  source = "../modules/access"

  name            = "${var.name}-backups"
  policy          = module.backups.postgres_policy
  service_account = merge(local.oidc, { namespace = var.namespace, name = "postgres-backup" })
}

module "certificate_access" {
  source = "../modules/access"

  name            = "${var.name}-certificates"
  policy          = module.dns.challenge_policy
  service_account = merge(local.oidc, { namespace = "cert-manager", name = "cert-manager" })
}
