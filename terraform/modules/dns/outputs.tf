output "names" {
  description = "Names that point to the target."
  value       = sort(local.names)
}

output "challenge_policy" {
  description = "Policy for who answers the certificate authority's challenges in the zone, as JSON."
  value       = local.challenge_policy
}
