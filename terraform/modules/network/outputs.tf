output "vpc_id" {
  description = "ID of the VPC."
  value       = aws_vpc.main.id
}

output "cidr" {
  description = "Addresses of the VPC."
  value       = aws_vpc.main.cidr_block
}

output "public_subnet_ids" {
  description = "IDs of the public subnets, by zone."
  value       = { for zone, subnet in aws_subnet.public : zone => subnet.id }

  # Whoever is in them may want out at once.
  depends_on = [aws_route.internet, aws_route_table_association.public, aws_vpc_endpoint.s3]
}

output "public_subnet_cidrs" {
  description = "Addresses of the public subnets, by zone."
  value       = local.public_cidrs
}

output "private_subnet_ids" {
  description = "IDs of the private subnets, by zone; empty without them."
  value       = { for zone, subnet in aws_subnet.private : zone => subnet.id }
}
