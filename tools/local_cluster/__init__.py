"""Local Kubernetes clusters for the demo, the tests and work by hand.

`simulated` starts a real Kubernetes API server, etcd, controller manager and scheduler, whose
nodes and pods are played by KWOK. `build` makes the programs they consist of, and the tools the
tests use, from the pinned Go modules in `modules/`. Nothing here needs root or writes outside the
clone's `.local/` and the cache (`cache`).
"""
