output "distribution" {
  description = "Kind of cluster, for `release-manager write-settings`."
  value       = "k3s"
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
  description = "Role of the backup jobs; empty, for here they have a user's access key."
  value       = module.backup_access.role_arn
}

output "backup_user" {
  description = "User whose access key the backup jobs have."
  value       = module.backup_access.user_name
}

output "certificate_role_arn" {
  description = "Role of cert-manager; empty, for here it has a user's access key."
  value       = module.certificate_access.role_arn
}

output "certificate_user" {
  description = "User whose access key cert-manager has."
  value       = module.certificate_access.user_name
}

output "kubeconfig_parameter" {
  description = "SSM parameter with the kubeconfig, a SecureString that the node writes."
  value       = module.node.kubeconfig_parameter
}

output "vpc_cidr" {
  description = "Addresses of the VPC."
  value       = module.network.cidr
}

output "public_ip" {
  description = "The node's Elastic IP."
  value       = module.node.public_ip
}

output "instance_id" {
  description = "ID of the instance, for SSM Session Manager."
  value       = module.node.instance_id
}

output "data_volume_id" {
  description = "ID of the data volume."
  value       = module.node.data_volume_id
}

output "dns_names" {
  description = "Names that point here."
  value       = module.dns.names
}
