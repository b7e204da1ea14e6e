output "zone_id" {
  description = "ID of the hosted zone, for the other roots."
  value       = aws_route53_zone.main.zone_id
}

output "name_servers" {
  description = "Name servers of the zone, for the registrar of the domain."
  value       = aws_route53_zone.main.name_servers
}

output "repositories" {
  description = "Addresses of the repositories, by name."
  value       = { for name, repository in aws_ecr_repository.main : name => repository.repository_url }
}

output "state_bucket" {
  description = "Bucket of Terraform's state."
  value       = module.state.bucket
}
