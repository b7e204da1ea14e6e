locals {
  ami_type = {
    amd64 = "AL2023_x86_64_STANDARD"
    arm64 = "AL2023_ARM_64_STANDARD"
  }[var.architecture]
  # Where Traefik's NodePorts are: platform.traefik.pin.values of fleet.eks.yaml says the same.
  web_ports = { http = { port = 80, node_port = 30080 }, https = { port = 443, node_port = 30443 } }
  managed = {
    cluster = ["AmazonEKSClusterPolicy"]
    # The network plugin is on the host's network, so that its rights can be the node's: no pod has them.
    # EKS' own images are in repositories of AWS' accounts that nobody lists, so that pulling is allowed
    # from all; what pods may pull is decided by the repositories' own policies.
    nodes = ["AmazonEKSWorkerNodePolicy", "AmazonEKS_CNI_Policy", "AmazonEC2ContainerRegistryPullOnly"]
  }
  managed_policies = merge([
    for role, names in local.managed : { for name in names : name => role }
  ]...)
  oidc_issuer = replace(aws_eks_cluster.main.identity[0].oidc[0].issuer, "https://", "")
}

# ---- Roles ----

locals {
  trust_policies = {
    for role, service in { cluster = "eks", nodes = "ec2" } : role => jsonencode({
      Version = "2012-10-17"
      Statement = [{
        Effect    = "Allow"
        Action    = "sts:AssumeRole"
        Principal = { Service = "${service}.amazonaws.com" }
      }]
    })
  }
  # IAM decides: EKS is let in by a grant that it makes for itself.
  key_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "kms:*"
      Principal = { AWS = "arn:aws:iam::${var.account_id}:root" }
      Resource  = "*"
    }]
  })
  trust_ebs_csi = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRoleWithWebIdentity"
      Principal = { Federated = aws_iam_openid_connect_provider.main.arn }
      Condition = {
        StringEquals = {
          "${local.oidc_issuer}:aud" = "sts.amazonaws.com"
          "${local.oidc_issuer}:sub" = "system:serviceaccount:kube-system:ebs-csi-controller-sa"
        }
      }
    }]
  })
}

resource "aws_iam_role" "main" {
  for_each = local.trust_policies

  name               = "${var.name}-${each.key}"
  assume_role_policy = each.value
}

resource "aws_iam_role_policy_attachment" "main" {
  for_each = local.managed_policies

  role       = aws_iam_role.main[each.value].name
  policy_arn = "arn:aws:iam::aws:policy/${each.key}"
}

resource "aws_iam_role" "ebs_csi" {
  name               = "${var.name}-ebs-csi"
  assume_role_policy = local.trust_ebs_csi
}

resource "aws_iam_role_policy_attachment" "ebs_csi" {
  role       = aws_iam_role.ebs_csi.name
  policy_arn = "arn:aws:iam::aws:policy/service-role/AmazonEBSCSIDriverPolicy"
}

# ---- The cluster ----

resource "aws_kms_key" "secrets" {
  description             = "Secrets of the cluster ${var.name}"
  enable_key_rotation     = true
  deletion_window_in_days = 30
  policy                  = local.key_policy

  lifecycle {
    # Without it no Secret of the cluster can be read again.
    prevent_destroy = true
  }
}

# Made before EKS makes it, without an end to what it keeps.
resource "aws_cloudwatch_log_group" "cluster" {
  #checkov:skip=CKV_AWS_158:CloudWatch encrypts with a key of its own
  #checkov:skip=CKV_AWS_338:for how long is the user's choice
  name              = "/aws/eks/${var.name}/cluster"
  retention_in_days = var.log_retention_days
}

resource "aws_eks_cluster" "main" {
  #checkov:skip=CKV_AWS_38:admin_cidrs refuses the world
  #checkov:skip=CKV_AWS_39:is_private closes it; without a VPN nobody would get in
  name                      = var.name
  version                   = var.kubernetes_version
  role_arn                  = aws_iam_role.main["cluster"].arn
  enabled_cluster_log_types = ["api", "audit", "authenticator", "controllerManager", "scheduler"]

  access_config {
    authentication_mode = "API"
    # Who may do what is in the access entries below, and nowhere else.
    bootstrap_cluster_creator_admin_permissions = false
  }

  encryption_config {
    resources = ["secrets"]

    provider {
      key_arn = aws_kms_key.secrets.arn
    }
  }

  vpc_config {
    subnet_ids              = var.private_subnet_ids
    endpoint_private_access = true
    endpoint_public_access  = !var.is_private
    public_access_cidrs     = var.is_private ? null : var.admin_cidrs
  }

  lifecycle {
    # Tenants run on it: another cluster is made beside it, and this one goes once it is empty.
    prevent_destroy = true
  }

  depends_on = [aws_cloudwatch_log_group.cluster, aws_iam_role_policy_attachment.main]
}

# Vouches for ServiceAccounts, so that a pod can have a role of its own.
resource "aws_iam_openid_connect_provider" "main" {
  url            = aws_eks_cluster.main.identity[0].oidc[0].issuer
  client_id_list = ["sts.amazonaws.com"]
}

resource "aws_eks_access_entry" "admin" {
  for_each = var.admin_principal_arns

  cluster_name  = aws_eks_cluster.main.name
  principal_arn = each.value
}

resource "aws_eks_access_policy_association" "admin" {
  for_each = var.admin_principal_arns

  cluster_name  = aws_eks_cluster.main.name
  principal_arn = aws_eks_access_entry.admin[each.value].principal_arn
  policy_arn    = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy"

  access_scope {
    type = "cluster"
  }
}

# ---- Nodes and what runs on each ----

data "aws_ebs_encryption_by_default" "current" {}

resource "aws_launch_template" "nodes" {
  name_prefix = "${var.name}-"

  metadata_options {
    http_endpoint = "enabled"
    http_tokens   = "required"
    # The host and no pod: one hop more would hand the node's role to every tenant.
    http_put_response_hop_limit = 1
  }

  block_device_mappings {
    device_name = "/dev/xvda"

    ebs {
      volume_type           = "gp3"
      volume_size           = var.node_volume_gib
      encrypted             = "true"
      delete_on_termination = "true"
    }
  }

  tag_specifications {
    resource_type = "instance"
    tags          = { Name = "${var.name}-node" }
  }

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_eks_node_group" "main" {
  cluster_name           = aws_eks_cluster.main.name
  node_group_name_prefix = "main-"
  node_role_arn          = aws_iam_role.main["nodes"].arn
  subnet_ids             = var.private_subnet_ids
  ami_type               = local.ami_type
  instance_types         = var.instance_types
  version                = var.kubernetes_version

  launch_template {
    id      = aws_launch_template.nodes.id
    version = aws_launch_template.nodes.latest_version
  }

  scaling_config {
    min_size     = var.node_count.min
    max_size     = var.node_count.max
    desired_size = var.node_count.desired
  }

  update_config {
    max_unavailable = 1
  }

  lifecycle {
    # Of another type or in another zone: the new nodes are there before the old ones go.
    create_before_destroy = true
  }

  depends_on = [
    aws_iam_role_policy_attachment.main,
    # Else the first pods would start without their policies.
    aws_eks_addon.before_nodes,
  ]
}

resource "aws_eks_addon" "before_nodes" {
  for_each = {
    kube-proxy = null
    # Without this nobody enforces NetworkPolicies, and tenants are not kept apart.
    vpc-cni = jsonencode({ enableNetworkPolicy = "true" })
  }

  cluster_name                = aws_eks_cluster.main.name
  addon_name                  = each.key
  addon_version               = lookup(var.addon_versions, each.key, null)
  configuration_values        = each.value
  resolve_conflicts_on_create = "OVERWRITE"
  resolve_conflicts_on_update = "OVERWRITE"
}

resource "aws_eks_addon" "on_nodes" {
  for_each = {
    coredns = { configuration = null, role_arn = null }
    # Its class is of gp3 and the default one: volumes need no class in any values. They are encrypted
    # by the account's default, which terraform/foundation sets.
    aws-ebs-csi-driver = {
      configuration = jsonencode({ defaultStorageClass = { enabled = true } })
      role_arn      = aws_iam_role.ebs_csi.arn
    }
  }

  cluster_name                = aws_eks_cluster.main.name
  addon_name                  = each.key
  addon_version               = lookup(var.addon_versions, each.key, null)
  configuration_values        = each.value.configuration
  service_account_role_arn    = each.value.role_arn
  resolve_conflicts_on_create = "OVERWRITE"
  resolve_conflicts_on_update = "OVERWRITE"

  lifecycle {
    precondition {
      # The default StorageClass leaves it to this.
      condition     = data.aws_ebs_encryption_by_default.current.enabled
      error_message = "Volumes are not encrypted by default: apply terraform/foundation in this region first."
    }
  }

  depends_on = [aws_eks_node_group.main]
}

# ---- The load balancer in front of Traefik ----

# Made here and not by a Service, so that its name is known before anything runs in the cluster.
resource "aws_security_group" "load_balancer" {
  name        = "${var.name}-web"
  description = "The load balancer of ${var.name}: web for all"
  vpc_id      = var.vpc_id

  tags = { Name = "${var.name}-web" }
}

resource "aws_vpc_security_group_ingress_rule" "web" {
  #checkov:skip=CKV_AWS_260:the web is served here; port 80 only redirects to 443
  for_each = local.web_ports

  security_group_id = aws_security_group.load_balancer.id
  description       = "Traefik, ${each.key}"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = each.value.port
  to_port           = each.value.port
}

resource "aws_vpc_security_group_egress_rule" "nodes" {
  for_each = local.web_ports

  security_group_id            = aws_security_group.load_balancer.id
  description                  = "Traefik on the nodes, ${each.key}"
  referenced_security_group_id = aws_eks_cluster.main.vpc_config[0].cluster_security_group_id
  ip_protocol                  = "tcp"
  from_port                    = each.value.node_port
  to_port                      = each.value.node_port
}

resource "aws_vpc_security_group_ingress_rule" "nodes" {
  for_each = local.web_ports

  security_group_id            = aws_eks_cluster.main.vpc_config[0].cluster_security_group_id
  description                  = "The load balancer, ${each.key}"
  referenced_security_group_id = aws_security_group.load_balancer.id
  ip_protocol                  = "tcp"
  from_port                    = each.value.node_port
  to_port                      = each.value.node_port
}

resource "aws_lb" "main" {
  #checkov:skip=CKV_AWS_91:it forwards TCP and sees no request; Traefik logs them
  #checkov:skip=CKV2_AWS_20:it forwards TCP; Traefik redirects
  name                             = var.name
  load_balancer_type               = "network"
  internal                         = false
  subnets                          = var.public_subnet_ids
  security_groups                  = [aws_security_group.load_balancer.id]
  enable_cross_zone_load_balancing = true
  # Names point to it.
  enable_deletion_protection = true
}

resource "aws_lb_target_group" "web" {
  for_each = local.web_ports

  name        = "${var.name}-${each.key}"
  vpc_id      = var.vpc_id
  target_type = "instance"
  protocol    = "TCP"
  port        = each.value.node_port

  health_check {
    protocol = "TCP"
  }
}

resource "aws_lb_listener" "web" {
  for_each = local.web_ports

  load_balancer_arn = aws_lb.main.arn
  # Traefik has the certificate.
  protocol = "TCP"
  port     = each.value.port

  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.web[each.key].arn
  }
}

resource "aws_autoscaling_attachment" "web" {
  #checkov:skip=CKV2_AWS_15:the group is EKS' own, which replaces nodes by what Kubernetes says of them
  for_each = local.web_ports

  autoscaling_group_name = aws_eks_node_group.main.resources[0].autoscaling_groups[0].name
  lb_target_group_arn    = aws_lb_target_group.web[each.key].arn
}
