"""Changing many tenants in waves: the plan, the journal and the engine.

Nothing here knows Helm or Kubernetes. The engine is handed what changes one tenant.
"""
