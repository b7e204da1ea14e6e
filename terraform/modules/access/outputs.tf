output "user_name" {
  description = "Name of the user; empty for a role."
  value       = one(aws_iam_user.main[*].name) != null ? one(aws_iam_user.main[*].name) : ""
}

output "role_arn" {
  description = "ARN of the role; empty for a user."
  value       = one(aws_iam_role.main[*].arn) != null ? one(aws_iam_role.main[*].arn) : ""
}
