.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
CONSTRAINTS := constraints.txt
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --disable-pip-version-check --quiet --constraint $(CONSTRAINTS)

.PHONY: help
help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 20

$(VENV)/.demo: pyproject.toml $(CONSTRAINTS)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] < (3, 11) and "Python 3.11 or newer is needed; name it by: make PYTHON=python3.11 ...")'
	@echo "Installing Airflow and this package into $(VENV) (a minute or two) ..."
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(PIP) --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.demo
	@echo "Installing what the tests need into $(VENV) (another minute) ..."
	@$(PIP) --editable '.[dev]'
	@touch $@

# The Azure tests are skipped without it, so whoever has no npm, or cannot reach its registry, can still run the others.
$(VENV)/.azurite: tests/integration/package.json $(VENV)/.dev
	@if ! command -v npm >/dev/null; then echo "npm is not installed: the tests on Azurite will be skipped"; \
	else echo "Installing Azurite for the tests on Azure into $(VENV)/node (another minute) ..."; \
	  mkdir -p $(VENV)/node && cp $< $(VENV)/node/ \
	  && npm install --prefix $(VENV)/node --no-audit --no-fund --no-package-lock --loglevel=error >/dev/null \
	  && touch $@ || echo "Azurite could not be installed: the tests on it will be skipped"; fi

.PHONY: demo
demo: $(VENV)/.demo ## Run every example DAG against the sandbox and show what it exported
	@$(BIN)/python demo/run.py

.PHONY: sandbox
sandbox: $(VENV)/.demo ## Serve the three vendors' APIs locally (port 8800) until interrupted
	@$(BIN)/python -m airflow_batch_provider.sandbox --port 8800

.PHONY: test
test: $(VENV)/.azurite ## Run all tests
	@$(BIN)/python -m pytest --numprocesses 2

# Airflow 3.1 beside the oldest libraries that pyproject.toml allows, and one store: its paths read a URI differently.
.PHONY: test-oldest
test-oldest: ## Run unit tests and DAGs on the oldest Airflow that will do, in .venv-oldest (ten minutes)
	@$(MAKE) --no-print-directory .venv-oldest/.dev VENV=.venv-oldest CONSTRAINTS=constraints-oldest.txt
	@.venv-oldest/bin/python -m pytest --numprocesses 2 tests/unit \
	  tests/integration/test_dags.py tests/integration/test_s3.py tests/integration/test_sensors.py

# Also found where pyenv keeps it without having it active.
NEWEST_PYTHON ?= $(shell for version in 3.14 3.13 3.12 3.11; do \
  for python in python$$version $${PYENV_ROOT:-$$HOME/.pyenv}/versions/$$version.*/bin/python; do \
  $$python -c "" 2>/dev/null && echo $$python && exit; done; done)

.PHONY: test-newest-python
test-newest-python: ## Run all tests on the newest Python that is here and that Airflow takes, in .venv-newest (ten minutes)
	@$(MAKE) --no-print-directory test PYTHON=$(NEWEST_PYTHON) VENV=.venv-newest

.PHONY: fuzz
fuzz: $(VENV)/.dev ## Try 10,000 hostile pages in every format, and 2,000 exports of some over the wire (fifteen minutes)
	@HYPOTHESIS_PROFILE=nightly $(BIN)/python -m pytest tests/fuzz --numprocesses 2

.PHONY: lint
lint: $(VENV)/.dev ## Check format, lint, types and import directions
	@echo "ruff format"; $(BIN)/ruff format --check .
	@echo "ruff check"; $(BIN)/ruff check .
	@echo "mypy --strict"; $(BIN)/mypy
	@echo "import directions"; $(BIN)/lint-imports
	@echo "docker-compose.yaml"; $(BIN)/check-jsonschema --builtin-schema vendor.compose-spec docker-compose.yaml

.PHONY: bench-waiting
bench-waiting: $(VENV)/.demo ## Measure 1,000 waits and write benchmarks/waiting.md (two and a half minutes)
	@$(BIN)/python benchmarks/waiting.py

BENCH_ENVIRONMENTS := dlt llama-cloud plain
BENCH_STAMPS := $(BENCH_ENVIRONMENTS:%=.venv-bench/%/.installed)

$(BENCH_STAMPS): .venv-bench/%/.installed: benchmarks/requirements-%.txt
	@echo "Installing what exports are compared with into .venv-bench/$* ..."
	@test -x .venv-bench/$*/bin/python || $(PYTHON) -m venv .venv-bench/$*
	@.venv-bench/$*/bin/python -m pip install --disable-pip-version-check --quiet --requirement $<
	@touch $@

# BENCH='--only a,d --runs 1 --jobs 5000' for less of it
.PHONY: bench
bench: $(VENV)/.dev $(BENCH_STAMPS) ## Measure exports beside their peers and the limit (25 minutes)
	@$(BIN)/python -m benchmarks.exporting $(BENCH)

.PHONY: performance-table
performance-table: $(VENV)/.dev ## Write the computed and measured tables of docs/performance.md anew
	@$(BIN)/python -m benchmarks.exporting.guide

.PHONY: bench-quick
bench-quick: $(VENV)/.dev ## Measure exports beside HttpOperator and the limit, and warn where they got worse (a minute)
	@$(BIN)/python -m benchmarks.exporting.quick

# RELIABILITY='--minutes 30 --seed 2' for more of it, --tries 50 for less
.PHONY: reliability
reliability: $(VENV)/.azurite ## Kill, stop and starve exports at random, and write docs/reliability.md (ten minutes)
	@$(BIN)/python -m reliability $(RELIABILITY)

.PHONY: package
package: export SOURCE_DATE_EPOCH = $(shell git log -1 --format=%ct)
package: $(VENV)/.dev ## Build wheel and sdist into dist/, and try the wheel in an empty environment (a few minutes)
	@rm -rf dist
	@$(BIN)/python -m build --quiet --outdir dist
	@$(BIN)/python -m twine check --strict dist/*
	@$(BIN)/python -m pytest tests/package

.PHONY: format
format: $(VENV)/.dev ## Format the code
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

REQUIRED := apache-airflow~=3.3.0
OLDEST := apache-airflow~=3.1.0 apache-airflow-providers-common-compat~=1.23.0 isal~=1.7.0 msgspec~=0.19.0 \
  pendulum~=3.0 pyarrow~=18.0 requests~=2.32.0 tenacity~=9.0.0 urllib3~=2.6.0 zstandard~=0.22.0

.PHONY: constraints
constraints: ## Write constraints.txt anew from what pip resolves today
	@rm -rf $(VENV) && $(PYTHON) -m venv $(VENV) && $(BIN)/python -m pip install --quiet --upgrade pip
	@# Debian 12's Python 3.11.2 is too old for soupsieve 3
	@$(BIN)/python -m pip install --quiet $(REQUIRED) 'soupsieve<3' --editable '.[dev]'
	@$(BIN)/python -m pip freeze --exclude-editable | grep -E '^[A-Za-z0-9._-]+==' > $(CONSTRAINTS)
	@wc -l $(CONSTRAINTS)

.PHONY: constraints-oldest
constraints-oldest: ## Write constraints-oldest.txt anew: the oldest Airflow, and the oldest of what we need beside it
	@$(MAKE) --no-print-directory constraints VENV=.venv-oldest CONSTRAINTS=constraints-oldest.txt REQUIRED="$(OLDEST)"

.PHONY: clean
clean: ## Remove everything that git ignores
	@git clean -fdXq
