output "cluster_name" {
  description = "Name of the cluster."
  value       = aws_eks_cluster.main.name
}

output "oidc_provider_arn" {
  description = "ARN of what vouches for ServiceAccounts."
  value       = aws_iam_openid_connect_provider.main.arn
}

output "oidc_issuer" {
  description = "The cluster's issuer of identities, without a scheme."
  value       = local.oidc_issuer
}

output "load_balancer" {
  description = "DNS name and hosted zone of the load balancer, for an alias."
  value       = { name = aws_lb.main.dns_name, zone_id = aws_lb.main.zone_id }
}
