"""What lies below the cluster: machines, what fits on them, what they cost, and Terraform's view.

Pure: numbers and documents in, answers out. Nothing here asks AWS.
"""
