output "public_ip" {
  description = "The node's Elastic IP."
  value       = aws_eip.node.public_ip
}

output "instance_id" {
  description = "ID of the instance, for SSM Session Manager."
  value       = aws_instance.node.id
}

output "data_volume_id" {
  description = "ID of the data volume."
  value       = aws_ebs_volume.data.id
}

output "architecture" {
  description = "Architecture of the instance, as Kubernetes calls it."
  value       = local.architecture
}

output "kubeconfig_parameter" {
  description = "Name of the SSM parameter with the kubeconfig, a SecureString."
  value       = "${var.parameter_path}/kubeconfig"
}

output "token_parameter" {
  description = "Name of the SSM parameter with the server token, a SecureString."
  value       = "${var.parameter_path}/token"
}

output "user_data" {
  description = "What the instance does at its first start, as cloud-init reads it."
  value       = local.user_data
}
