output "bucket" {
  description = "Name of the bucket."
  value       = module.bucket.bucket
}

output "etcd_prefix" {
  description = "Folder of k3s' snapshots of etcd."
  value       = local.etcd_prefix
}

output "postgres_prefix" {
  description = "Folder of the platform's backups of Postgres."
  value       = local.postgres_prefix
}

output "etcd_policy" {
  description = "Policy for who writes and reads snapshots of etcd, as JSON."
  value       = local.etcd_policy
}

output "postgres_policy" {
  description = "Policy for who writes and reads backups of Postgres, as JSON."
  value       = local.postgres_policy
}
