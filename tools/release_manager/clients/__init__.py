"""The doors to the outside: Helm, the Kubernetes API, charts on disk and in registries."""
