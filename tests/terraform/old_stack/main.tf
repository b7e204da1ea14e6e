# What the old stack looks like to Terraform: services on ECS behind a load balancer, and beside them,
# in the same state, what must outlive them.

terraform {
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "6.25.0"
    }
  }
}

provider "aws" {
  region = "eu-central-1"
}

resource "aws_vpc" "main" {
  cidr_block = "10.1.0.0/16"
}

resource "aws_subnet" "public" {
  count = 2

  vpc_id     = aws_vpc.main.id
  cidr_block = cidrsubnet(aws_vpc.main.cidr_block, 8, count.index)
}

resource "aws_ecs_cluster" "main" {
  name = "aware"
}

resource "aws_ecs_task_definition" "tenant" {
  family                = "tenant-acme"
  container_definitions = jsonencode([{ name = "gateway", image = "aware-gateway" }])
}

resource "aws_ecs_service" "tenant" {
  name            = "tenant-acme"
  cluster         = aws_ecs_cluster.main.id
  task_definition = aws_ecs_task_definition.tenant.arn
}

resource "aws_lb" "main" {
  name    = "aware"
  subnets = aws_subnet.public[*].id
}

resource "aws_db_instance" "main" {
  identifier     = "aware"
  instance_class = "db.t4g.micro"
}

resource "aws_route53_record" "api" {
  zone_id = aws_route53_zone.main.zone_id
  name    = "api.wareit.ai"
  type    = "CNAME"
  ttl     = 300
  records = [aws_lb.main.dns_name]
}

resource "aws_route53_zone" "main" {
  name = "wareit.ai"
}

resource "aws_ecr_repository" "main" {
  for_each = toset(["aware-gateway", "aware-api"])

  name = each.value
}

resource "aws_eip" "main" {
  domain = "vpc"
}

resource "aws_s3_bucket" "state" {
  bucket = "wareit-terraform"
}
