output "distribution" {
  description = "Kind of cluster, for `release-manager write-settings`."
  value       = "eks"
}

output "domain" {
  description = "Domain below which the API and the tenants have their hosts."
  value       = var.domain
}

output "zone_id" {
  description = "ID of the hosted zone."
  value       = var.zone_id
}

output "region" {
  description = "Region of everything."
  value       = var.region
}

output "registry" {
  description = "Registry of the images."
  value       = local.registry
}

output "backup_bucket" {
  description = "Bucket of the backups."
  value       = module.backups.bucket
}

output "backup_prefix" {
  description = "Folder of the platform's backups of Postgres."
  value       = module.backups.postgres_prefix
}

output "backup_role_arn" {
  description = "Role of the backup jobs."
  value       = module.backup_access.role_arn
}

output "backup_user" {
  description = "User of the backup jobs; empty, for here they have a role."
  value       = module.backup_access.user_name
}

output "certificate_role_arn" {
  description = "Role of cert-manager."
  value       = module.certificate_access.role_arn
}

output "certificate_user" {
  description = "User of cert-manager; empty, for here it has a role."
  value       = module.certificate_access.user_name
}

output "kubeconfig_parameter" {
  description = "SSM parameter with the kubeconfig; empty, for EKS has `aws eks update-kubeconfig --name CLUSTER`."
  value       = ""
}

output "vpc_cidr" {
  description = "Addresses of the VPC."
  value       = module.network.cidr
}

output "cluster_name" {
  description = "Name of the cluster."
  value       = module.cluster.cluster_name
}

output "load_balancer" {
  description = "DNS name of the load balancer."
  value       = module.cluster.load_balancer.name
}

output "dns_names" {
  description = "Names that point here."
  value       = module.dns.names
}
