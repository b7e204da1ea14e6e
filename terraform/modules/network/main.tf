locals {
  zones = { for index, zone in var.availability_zones : zone => index }
  # A /20 of 4,091 addresses each, where the VPC is a /16.
  public_cidrs  = { for zone, index in local.zones : zone => cidrsubnet(var.cidr, 4, index) }
  private_cidrs = { for zone, index in local.zones : zone => cidrsubnet(var.cidr, 4, index + 8) }
  private_zones = var.has_private_subnets ? local.zones : {}
  # One for all zones: what it costs is counted by the hour, and each zone can do without for a while.
  nat_zone = var.availability_zones[0]
}

resource "aws_vpc" "main" {
  #checkov:skip=CKV2_AWS_11:what tenants reach is decided by NetworkPolicies, and flow logs cost more than the node
  cidr_block           = var.cidr
  enable_dns_hostnames = true
  enable_dns_support   = true

  tags = { Name = var.name }

  lifecycle {
    # Everything is in it. Other addresses mean another VPC beside this one.
    prevent_destroy = true
  }
}

# Nothing uses it. Without a rule it cannot let anything through by accident either.
resource "aws_default_security_group" "unused" {
  vpc_id = aws_vpc.main.id

  tags = { Name = "${var.name}-unused" }
}

resource "aws_internet_gateway" "main" {
  vpc_id = aws_vpc.main.id

  tags = { Name = var.name }
}

resource "aws_subnet" "public" {
  for_each = local.zones

  vpc_id            = aws_vpc.main.id
  availability_zone = each.key
  cidr_block        = local.public_cidrs[each.key]
  # Who needs a public address gets an Elastic IP.
  map_public_ip_on_launch = false

  tags = { Name = "${var.name}-public-${each.key}" }
}

resource "aws_route_table" "public" {
  vpc_id = aws_vpc.main.id

  tags = { Name = "${var.name}-public" }
}

resource "aws_route" "internet" {
  route_table_id         = aws_route_table.public.id
  destination_cidr_block = "0.0.0.0/0"
  gateway_id             = aws_internet_gateway.main.id
}

resource "aws_route_table_association" "public" {
  for_each = local.zones

  subnet_id      = aws_subnet.public[each.key].id
  route_table_id = aws_route_table.public.id
}

# Traffic to S3 stays inside of AWS, and is not charged by a NAT gateway.
resource "aws_vpc_endpoint" "s3" {
  vpc_id            = aws_vpc.main.id
  service_name      = "com.amazonaws.${var.region}.s3"
  vpc_endpoint_type = "Gateway"
  route_table_ids = concat(
    [aws_route_table.public.id],
    [for table in aws_route_table.private : table.id],
  )

  tags = { Name = "${var.name}-s3" }
}

resource "aws_subnet" "private" {
  for_each = local.private_zones

  vpc_id            = aws_vpc.main.id
  availability_zone = each.key
  cidr_block        = local.private_cidrs[each.key]

  tags = { Name = "${var.name}-private-${each.key}" }
}

resource "aws_eip" "nat" {
  count = var.has_private_subnets ? 1 : 0

  domain = "vpc"

  tags = { Name = "${var.name}-nat" }
}

resource "aws_nat_gateway" "main" {
  count = var.has_private_subnets ? 1 : 0

  allocation_id = aws_eip.nat[0].id
  subnet_id     = aws_subnet.public[local.nat_zone].id

  tags = { Name = var.name }

  depends_on = [aws_internet_gateway.main]
}

resource "aws_route_table" "private" {
  count = var.has_private_subnets ? 1 : 0

  vpc_id = aws_vpc.main.id

  tags = { Name = "${var.name}-private" }
}

resource "aws_route" "nat" {
  count = var.has_private_subnets ? 1 : 0

  route_table_id         = aws_route_table.private[0].id
  destination_cidr_block = "0.0.0.0/0"
  nat_gateway_id         = aws_nat_gateway.main[0].id
}

resource "aws_route_table_association" "private" {
  for_each = local.private_zones

  subnet_id      = aws_subnet.private[each.key].id
  route_table_id = aws_route_table.private[0].id
}
