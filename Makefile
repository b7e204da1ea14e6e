# What people type. Each target is one or two lines over a program in tools/.
PYTHON ?= python3
RUN := .venv/bin/python
CLUSTER := $(RUN) -m local_cluster
# More than cores: tests of clusters wait for most of their time.
WORKERS = $(shell $(PYTHON) -c 'import os; print(min(6, (os.cpu_count() or 1) + 2))')
FLEET ?= 100
RESOLVE = .local/uv/bin/uv pip compile -q --upgrade --universal --python-version 3.11 \
	--generate-hashes --no-header --no-emit-index-url --no-emit-find-links
.DEFAULT_GOAL := help
.PHONY: help demo demo-down demo-kubeconfig tools-path check test bench trials lock clean-cache .venv aws checkov

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: .venv ## Start a local cluster and run twenty tenants in it (KUBE_CONTEXT=name: in a cluster of yours)
	@$(RUN) -m local_cluster.demo

demo-down: .venv ## Stop the demo's cluster and remove what it kept
	@$(CLUSTER) down demo

demo-kubeconfig: .venv ## Print the path of the demo's kubeconfig
	@$(CLUSTER) kubeconfig demo

tools-path: .venv ## Print the folder with helm and kubectl
	@$(CLUSTER) tools-path

check: .venv ## Lint, types, imports and unit tests: seconds
	@.venv/bin/ruff check . && .venv/bin/ruff format --check .
	@.venv/bin/mypy && .venv/bin/lint-imports
	@.venv/bin/pytest tests/unit

test: check aws checkov ## Everything: `make check`, then Terraform, charts, Postgres, clusters, containers
	@$(CLUSTER) build --for test
	@.venv/bin/pytest --numprocesses $(WORKERS) --dist worksteal \
		tests/containers tests/cluster tests/postgres tests/charts tests/terraform

bench: .venv ## Measure beside helm and the Helm SDK (FLEET="100 1000" tenants, BENCH_OUT=file for JSON)
	@$(RUN) -m benchmarks $(FLEET) $(if $(BENCH_OUT),--out "$(BENCH_OUT)")

trials: .venv ## Kill rollouts at random moments and resume them (TRIALS=100)
	@$(RUN) -m benchmarks.trials $(if $(TRIALS),--trials $(TRIALS))

lock: ## Resolve requirements.lock anew from pyproject.toml
	@test -x .local/uv/bin/uv || { $(PYTHON) -m venv .local/uv && .local/uv/bin/pip -q install uv==0.13.9; }
	@$(RESOLVE) pyproject.toml --extra dev -o requirements.lock
	@$(RESOLVE) tests/postgres/aws.in -o tests/postgres/aws.lock
	@$(RESOLVE) tests/terraform/checkov.in -o tests/terraform/checkov.lock

clean-cache: .venv ## Stop the local clusters and remove all tools that were built
	@$(CLUSTER) clean-cache

.venv:
	@$(PYTHON) tools/bootstrap.py

aws:
	@$(PYTHON) tools/bootstrap.py aws

checkov:
	@$(PYTHON) tools/bootstrap.py checkov
