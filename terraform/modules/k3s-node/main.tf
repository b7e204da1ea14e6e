locals {
  # Graviton's families have a g behind their number: t4g, m7gd, c6gn.
  is_arm = length(regexall("^[a-z]+[0-9]+[a-z]*g[a-z]*\\.", var.instance_type)) > 0
  # As Kubernetes calls it, and as AWS does.
  architecture     = local.is_arm ? "arm64" : "amd64"
  ami_architecture = local.is_arm ? "arm64" : "x86_64"
  is_burstable     = startswith(var.instance_type, "t")
  # Always the same: etcd knows its member by this address. AWS keeps the first four and the last.
  private_ip = cidrhost(var.subnet_cidr, 10)
  has_logs   = var.log_retention_days > 0
}

# ---- Who may come in ----

resource "aws_security_group" "node" {
  name        = var.name
  description = "The k3s node: web for all, the Kubernetes API for administrators"
  vpc_id      = var.vpc_id

  tags = { Name = var.name }
}

resource "aws_vpc_security_group_ingress_rule" "web" {
  #checkov:skip=CKV_AWS_260:the web is served here; port 80 only redirects to 443
  for_each = { http = 80, https = 443 }

  security_group_id = aws_security_group.node.id
  description       = "Traefik, ${each.key}"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = each.value
  to_port           = each.value
}

resource "aws_vpc_security_group_ingress_rule" "kubernetes" {
  for_each = var.admin_cidrs

  security_group_id = aws_security_group.node.id
  description       = "The Kubernetes API"
  cidr_ipv4         = each.value
  ip_protocol       = "tcp"
  from_port         = 6443
  to_port           = 6443
}

resource "aws_vpc_security_group_ingress_rule" "ssh" {
  for_each = var.ssh_cidrs

  security_group_id = aws_security_group.node.id
  description       = "SSH"
  cidr_ipv4         = each.value
  ip_protocol       = "tcp"
  from_port         = 22
  to_port           = 22
}

# Images, AWS' services, the certificate authority, and whatever tenants' agents talk to. What pods may
# reach is decided by NetworkPolicies.
resource "aws_vpc_security_group_egress_rule" "everywhere" {
  security_group_id = aws_security_group.node.id
  description       = "Everywhere"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "-1"
}

# ---- What outlives the instance: its address and its data ----

# Before the instance, for its address is one of the names in the certificate of the Kubernetes API.
resource "aws_eip" "node" {
  domain = "vpc"

  tags = { Name = var.name }

  lifecycle {
    # Names point to it, and administrators' kubeconfigs.
    prevent_destroy = true
  }
}

resource "aws_eip_association" "node" {
  allocation_id = aws_eip.node.id
  instance_id   = aws_instance.node.id
}

resource "aws_ebs_volume" "data" {
  #checkov:skip=CKV_AWS_189:AWS' own key encrypts it; a key of ours could be lost, and all data with it
  availability_zone = var.availability_zone
  snapshot_id       = var.data_snapshot_id
  size              = var.data_volume_gib
  type              = "gp3"
  encrypted         = true
  final_snapshot    = true

  tags = { Name = "${var.name}-data", Snapshots = var.name }

  lifecycle {
    # Everything is on it: etcd, the database, the tenants' volumes.
    prevent_destroy = true
    # Only where a volume is made is it asked what from.
    ignore_changes = [snapshot_id]
  }
}

resource "aws_volume_attachment" "data" {
  device_name = "/dev/sdf"
  volume_id   = aws_ebs_volume.data.id
  instance_id = aws_instance.node.id
  # A file system in use would be cut off.
  stop_instance_before_detaching = true
}

resource "aws_dlm_lifecycle_policy" "data" {
  description        = "Snapshots of the data volume of ${var.name}"
  execution_role_arn = aws_iam_role.snapshots.arn
  state              = "ENABLED"

  policy_details {
    resource_types = ["VOLUME"]
    target_tags    = { Snapshots = var.name }

    schedule {
      name      = "daily"
      copy_tags = true

      create_rule {
        interval      = 24
        interval_unit = "HOURS"
        times         = ["03:00"]
      }

      retain_rule {
        count = var.snapshot_keep
      }
    }
  }
}

# ---- The instance, which can be replaced ----

data "aws_ssm_parameter" "ami" {
  name = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-${local.ami_architecture}"
}

resource "aws_instance" "node" {
  #checkov:skip=CKV_AWS_126:a measurement a minute costs more than it tells; the alarms are on status checks
  ami                         = data.aws_ssm_parameter.ami.insecure_value
  instance_type               = var.instance_type
  subnet_id                   = var.subnet_id
  private_ip                  = local.private_ip
  vpc_security_group_ids      = [aws_security_group.node.id]
  iam_instance_profile        = aws_iam_instance_profile.node.name
  user_data                   = local.user_data
  user_data_replace_on_change = true
  ebs_optimized               = true

  metadata_options {
    http_endpoint = "enabled"
    http_tokens   = "required"
    # The host and no pod: one hop more would hand the node's role to every tenant.
    http_put_response_hop_limit = 1
    instance_metadata_tags      = "disabled"
  }

  root_block_device {
    volume_type           = "gp3"
    volume_size           = var.root_volume_gib
    encrypted             = true
    delete_on_termination = true

    tags = { Name = "${var.name}-root" }
  }

  dynamic "credit_specification" {
    for_each = local.is_burstable ? [var.cpu_credits] : []

    content {
      cpu_credits = credit_specification.value
    }
  }

  tags = { Name = var.name }

  # What its first start needs: the bootstrap tries again, but need not.
  depends_on = [aws_iam_role_policy.node]

  lifecycle {
    # A newer image is taken when the instance is replaced on purpose, never in passing.
    ignore_changes = [ami]

    precondition {
      condition     = length(local.user_data) < 16384
      error_message = "user-data has more than the 16 KB that EC2 takes."
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "recover" {
  alarm_name          = "${var.name}-recover"
  alarm_description   = "AWS' hardware failed below ${var.name}: move it to other hardware"
  namespace           = "AWS/EC2"
  metric_name         = "StatusCheckFailed_System"
  statistic           = "Maximum"
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  period              = 60
  evaluation_periods  = 2
  dimensions          = { InstanceId = aws_instance.node.id }
  alarm_actions       = ["arn:aws:automate:${var.region}:ec2:recover"]
}

resource "aws_cloudwatch_metric_alarm" "reboot" {
  alarm_name          = "${var.name}-reboot"
  alarm_description   = "${var.name} does not answer: start it again"
  namespace           = "AWS/EC2"
  metric_name         = "StatusCheckFailed_Instance"
  statistic           = "Maximum"
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  period              = 60
  # One more than for recovery, so that the two never act at once.
  evaluation_periods = 3
  dimensions         = { InstanceId = aws_instance.node.id }
  alarm_actions      = ["arn:aws:automate:${var.region}:ec2:reboot"]
}

resource "aws_cloudwatch_log_group" "node" {
  #checkov:skip=CKV_AWS_158:CloudWatch encrypts with a key of its own
  #checkov:skip=CKV_AWS_338:for how long is the user's choice
  count = local.has_logs ? 1 : 0

  name              = "/${var.name}/system"
  retention_in_days = var.log_retention_days
}

# ---- What the instance may do ----

locals {
  parameters_arn = "arn:aws:ssm:${var.region}:${var.account_id}:parameter${var.parameter_path}/*"
  node_policies = merge(
    {
      backups = var.etcd_backups.policy
      images = jsonencode({
        Version = "2012-10-17"
        Statement = [
          {
            # It has no resource: what the token opens is decided by the statement below.
            Sid      = "LogIn"
            Effect   = "Allow"
            Action   = "ecr:GetAuthorizationToken"
            Resource = "*"
          },
          {
            Sid    = "Pull"
            Effect = "Allow"
            Action = [
              "ecr:BatchCheckLayerAvailability",
              "ecr:BatchGetImage",
              "ecr:GetDownloadUrlForLayer",
            ]
            Resource = sort(var.ecr_repository_arns)
          },
        ]
      })
      parameters = jsonencode({
        Version = "2012-10-17"
        Statement = [{
          Effect   = "Allow"
          Action   = ["ssm:GetParameter", "ssm:PutParameter"]
          Resource = local.parameters_arn
        }]
      })
      # AWS' own AmazonSSMManagedInstanceCore would read every parameter of the account.
      sessions = jsonencode({
        Version = "2012-10-17"
        Statement = [{
          Effect = "Allow"
          Action = [
            "ssm:UpdateInstanceInformation",
            "ssmmessages:CreateControlChannel",
            "ssmmessages:CreateDataChannel",
            "ssmmessages:OpenControlChannel",
            "ssmmessages:OpenDataChannel",
          ]
          Resource = "*"
        }]
      })
    },
    local.has_logs ? {
      logs = jsonencode({
        Version = "2012-10-17"
        Statement = [{
          Effect   = "Allow"
          Action   = ["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"]
          Resource = "${aws_cloudwatch_log_group.node[0].arn}:*"
        }]
      })
    } : {},
  )
  trust_policies = {
    for service in ["ec2", "dlm"] : service => jsonencode({
      Version = "2012-10-17"
      Statement = [{
        Effect    = "Allow"
        Action    = "sts:AssumeRole"
        Principal = { Service = "${service}.amazonaws.com" }
      }]
    })
  }
  # As AWS' AWSDataLifecycleManagerServiceRole, for this volume, and for snapshots that DLM took.
  snapshots_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "Take"
        Effect   = "Allow"
        Action   = "ec2:CreateSnapshot"
        Resource = [aws_ebs_volume.data.arn, "arn:aws:ec2:${var.region}::snapshot/*"]
      },
      {
        Sid      = "Tag"
        Effect   = "Allow"
        Action   = "ec2:CreateTags"
        Resource = "arn:aws:ec2:${var.region}::snapshot/*"
      },
      {
        Sid       = "Expire"
        Effect    = "Allow"
        Action    = "ec2:DeleteSnapshot"
        Resource  = "arn:aws:ec2:${var.region}::snapshot/*"
        Condition = { Null = { "aws:ResourceTag/aws:dlm:lifecycle-policy-id" = "false" } }
      },
      {
        Sid      = "Look"
        Effect   = "Allow"
        Action   = ["ec2:DescribeSnapshots", "ec2:DescribeVolumes"]
        Resource = "*"
      },
    ]
  })
}

resource "aws_iam_role" "node" {
  name               = "${var.name}-node"
  assume_role_policy = local.trust_policies["ec2"]
}

resource "aws_iam_role_policy" "node" {
  for_each = local.node_policies

  name   = each.key
  role   = aws_iam_role.node.name
  policy = each.value
}

resource "aws_iam_instance_profile" "node" {
  name = "${var.name}-node"
  role = aws_iam_role.node.name
}

resource "aws_iam_role" "snapshots" {
  name               = "${var.name}-snapshots"
  assume_role_policy = local.trust_policies["dlm"]
}

resource "aws_iam_role_policy" "snapshots" {
  name   = "snapshots"
  role   = aws_iam_role.snapshots.name
  policy = local.snapshots_policy
}

# ---- Its first start ----

locals {
  templates = "${path.module}/templates"
  k3s_config = yamlencode({
    node-name = var.name
    # Without it `release-manager capacity` cannot name the next larger type.
    node-label   = ["node.kubernetes.io/instance-type=${var.instance_type}"]
    cluster-init = true
    # Names in the certificate of the Kubernetes API, beside its private ones.
    tls-san                     = concat([aws_eip.node.public_ip], var.tls_names)
    token-file                  = "/etc/rancher/k3s/token"
    write-kubeconfig-mode       = "0600"
    secrets-encryption          = true
    etcd-s3                     = true
    etcd-s3-bucket              = var.etcd_backups.bucket
    etcd-s3-folder              = var.etcd_backups.prefix
    etcd-s3-region              = var.region
    etcd-snapshot-schedule-cron = "0 */6 * * *"
    etcd-snapshot-retention     = 28
    # Its own number, and five unless told otherwise.
    etcd-s3-retention                 = 28
    image-credential-provider-bin-dir = "/usr/local/libexec/credential-provider"
    image-credential-provider-config  = "/etc/rancher/k3s/credential-provider.yaml"
    # Tenants may take what is left, and never what k3s and the system live on. The release manager
    # counts with the same numbers: infrastructure/capacity.py.
    kubelet-arg = [
      "system-reserved=cpu=100m,memory=200Mi",
      "kube-reserved=cpu=150m,memory=500Mi",
      "eviction-hard=memory.available<100Mi,nodefs.available<10%,imagefs.available<10%",
    ]
  })
  user_data = templatefile("${local.templates}/user-data.yaml.tftpl", {
    files = {
      bootstrap       = file("${local.templates}/bootstrap.sh")
      bootstrap_unit  = file("${local.templates}/k3s-bootstrap.service")
      k3s_unit        = file("${local.templates}/k3s.service")
      k3s_config      = local.k3s_config
      restart_unit    = file("${local.templates}/monthly-restart.service")
      restart_timer   = file("${local.templates}/monthly-restart.timer")
      provider_config = file("${local.templates}/credential-provider.yaml")
      cloudwatch      = file("${local.templates}/cloudwatch.json")
    }
    has_logs       = local.has_logs
    log_group      = "/${var.name}/system"
    region         = var.region
    public_ip      = aws_eip.node.public_ip
    volume_id      = aws_ebs_volume.data.id
    parameter_path = var.parameter_path
    k3s = {
      url    = "https://github.com/k3s-io/k3s/releases/download/${urlencode(var.k3s.version)}/k3s${local.is_arm ? "-arm64" : ""}"
      sha256 = var.k3s.sha256
    }
    provider = {
      url    = "https://artifacts.k8s.io/binaries/cloud-provider-aws/${var.ecr_credential_provider.version}/linux/${local.architecture}/ecr-credential-provider-linux-${local.architecture}"
      sha256 = var.ecr_credential_provider.sha256
    }
  })
}
