"""Terraform without AWS: the real terraform, and a stand-in of its AWS provider."""
