"""Installs, upgrades, repairs and removes Aware's tenants, one Helm release each."""
