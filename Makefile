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

$(VENV)/.docs: $(VENV)/.demo
	@echo "Installing what the documentation needs into $(VENV) ..."
	@$(PIP) --editable '.[docs]'
	@touch $@

# Uses the system's browser, because Playwright cannot download its own on every network.
$(VENV)/.ui: $(VENV)/.dev
	@if ! command -v chromium chromium-browser google-chrome >/dev/null; then \
	  if [ "$$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then \
	    echo "The tests of the UI need Chromium: install it, or run this as root on Debian or Ubuntu"; exit 1; fi; \
	  echo "Installing Chromium (a minute) ..."; \
	  apt-get update -qq >/dev/null && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends chromium >/dev/null; fi
	@echo "Installing Playwright into $(VENV) ..."
	@$(PIP) --editable '.[ui]'
	@touch $@

# Without npm or a connection to its registry, only the tests on Azure are skipped.
$(VENV)/.azurite: tests/integration/package.json $(VENV)/.dev
	@if ! command -v npm >/dev/null; then echo "npm is not installed: the tests on Azurite will be skipped"; \
	else echo "Installing Azurite for the tests on Azure into $(VENV)/node (another minute) ..."; \
	  mkdir -p $(VENV)/node && cp $< $(VENV)/node/ \
	  && npm install --prefix $(VENV)/node --no-audit --no-fund --no-package-lock --loglevel=error >/dev/null \
	  && touch $@ || echo "Azurite could not be installed: the tests on it will be skipped"; fi

.PHONY: demo
demo: $(VENV)/.demo ## Run every example DAG against the sandbox and show what it exported
	@$(BIN)/python -m dev.local.demo

# Another port: UP='--port 9090'
.PHONY: up
up: $(VENV)/.demo ## Start Airflow with its UI, the sandbox and the example DAGs on this machine
	@$(BIN)/python -m dev.local up $(UP)

.PHONY: down
down: ## Stop what make up started
	@test ! -x $(BIN)/python || $(BIN)/python -m dev.local down

# Another port, and more: SANDBOX='--port 8899 --run-seconds 5'
.PHONY: sandbox
sandbox: $(VENV)/.demo ## Serve the three vendors' APIs locally (port 8800) until interrupted
	@$(BIN)/python -m airflow_batch_provider.sandbox --port 8800 $(SANDBOX)

.PHONY: test
test: $(VENV)/.azurite ## Run all tests
	@$(BIN)/python -m pytest --numprocesses 2

# Debian starts the services that it installs, on their usual ports. The policy prevents that during the installation.
CLUSTER_PROGRAMS := redis-server docker-compose curl wget
CLUSTER_PACKAGES := redis-server postgresql docker-compose curl wget
CLUSTER_IS_THERE := command -v $(CLUSTER_PROGRAMS) | wc -l | grep -qx $(words $(CLUSTER_PROGRAMS)) && ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1

$(VENV)/.cluster: $(VENV)/.dev
	@echo "Installing what the cluster needs into $(VENV) (half a minute) ..."
	@$(PIP) --editable '.[dev,cluster]'
	@touch $@

.PHONY: cluster-programs
cluster-programs:
	@$(CLUSTER_IS_THERE) && exit; \
	if test "$$(id -u)" != 0 || ! command -v apt-get >/dev/null; then \
	  echo "Some of these Debian packages are missing: $(CLUSTER_PACKAGES). Install them, then run this again."; exit 1; fi; \
	echo "Installing $(CLUSTER_PACKAGES) by apt-get ..."; \
	policy=/usr/sbin/policy-rc.d; \
	test -e $$policy || { trap "rm -f $$policy" EXIT; printf '#!/bin/sh\nexit 101\n' >$$policy; chmod +x $$policy; }; \
	apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
	  apt-get -o DPkg::Lock::Timeout=300 install -qq --no-install-recommends $(CLUSTER_PACKAGES) >/dev/null

.PHONY: test-cluster
test-cluster: $(VENV)/.cluster cluster-programs ## Run the services of docker-compose.yaml without Docker, and kill a worker during an export (eight minutes)
	@$(BIN)/python -m pytest tests/unit/test_compose.py tests/cluster --exitfirst --capture=no

.env: .env.example ## Write the settings of docker-compose.yaml, with new secrets
	@test ! -e $@ || { echo "$@ exists and is older than $<: compare the two, and add what is missing"; exit 1; }
	@$(PYTHON) -m dev.cluster.settings

.PHONY: test-ui
test-ui: $(VENV)/.ui ## Test the UI of a local Airflow in a browser (three minutes)
	@$(BIN)/python -m pytest tests/ui

.PHONY: screenshots
screenshots: $(VENV)/.ui ## Take the screenshots in docs/images/ again
	@SCREENSHOTS=docs/images $(BIN)/python -m pytest tests/ui

# Unit tests, the DAGs, and one object store, because each Airflow parses the URIs of object stores in its own way.
TESTS_OF_ANOTHER_AIRFLOW := tests/unit \
  tests/integration/test_dags.py tests/integration/test_s3.py tests/integration/test_sensors.py

.PHONY: test-oldest test-next
test-oldest: ## Run unit tests and DAGs on the oldest supported Airflow and libraries, in .venv-oldest (eight minutes)
test-next: ## Run unit tests and DAGs on the next Airflow, a pre-release, in .venv-next (eight minutes)
test-oldest test-next: test-%:
	@$(MAKE) --no-print-directory .venv-$*/.dev VENV=.venv-$* CONSTRAINTS=constraints-$*.txt
	@.venv-$*/bin/python -m pytest --numprocesses 2 $(TESTS_OF_ANOTHER_AIRFLOW)

# Searches PATH, then the versions that pyenv has installed, active or not.
NEWEST_PYTHON ?= $(shell for version in 3.14 3.13 3.12 3.11; do \
  for python in python$$version $${PYENV_ROOT:-$$HOME/.pyenv}/versions/$$version.*/bin/python; do \
  $$python -c "" 2>/dev/null && echo $$python && exit; done; done)

.PHONY: test-newest-python
test-newest-python: ## Run all tests on the newest installed Python that Airflow supports, in .venv-newest (ten minutes)
	@$(MAKE) --no-print-directory test PYTHON=$(NEWEST_PYTHON) VENV=.venv-newest

.PHONY: fuzz
fuzz: $(VENV)/.dev ## Export 10,000 malformed pages in every format, 2,000 of them over HTTP (fifteen minutes)
	@HYPOTHESIS_PROFILE=nightly $(BIN)/python -m pytest tests/fuzz --numprocesses 2

.PHONY: lint
lint: $(VENV)/.dev ## Check format, lint, types and import directions
	@echo "ruff format"; $(BIN)/ruff format --check .
	@echo "ruff check"; $(BIN)/ruff check .
	@echo "mypy --strict"; $(BIN)/mypy
	@echo "import directions"; $(BIN)/lint-imports
	@echo "docker-compose.yaml"; $(BIN)/check-jsonschema --builtin-schema vendor.compose-spec docker-compose.yaml

.PHONY: hooks
hooks: $(VENV)/.dev ## Install a git hook that checks format, lint, types and import directions before each commit
	@$(BIN)/pre-commit install

.PHONY: docs
docs: $(VENV)/.docs ## Build the documentation into docs/_build/html and check every link (15 seconds)
	@$(BIN)/python -m sphinx -W --keep-going -n -q -E -b html docs docs/_build/html
	@$(BIN)/python docs/check_links.py docs/_build/html

.PHONY: bench-waiting
bench-waiting: $(VENV)/.demo ## Measure 1,000 waits and write dev/bench/waiting.md (two minutes)
	@$(BIN)/python -m dev.bench.waiting

BENCH_ENVIRONMENTS := dlt llama-cloud plain
BENCH_STAMPS := $(BENCH_ENVIRONMENTS:%=.venv-bench/%/.installed)

$(BENCH_STAMPS): .venv-bench/%/.installed: dev/bench/requirements-%.txt
	@echo "Installing the libraries to compare exports with into .venv-bench/$* ..."
	@test -x .venv-bench/$*/bin/python || $(PYTHON) -m venv .venv-bench/$*
	@.venv-bench/$*/bin/python -m pip install --disable-pip-version-check --quiet --requirement $<
	@touch $@

# A shorter run, which writes no report: BENCH='--only cursor,parquet --runs 1 --jobs 5000'
.PHONY: bench
bench: $(VENV)/.dev $(BENCH_STAMPS) ## Compare exports with other libraries and the hardware's limit, and write dev/bench/results.md (20 minutes)
	@$(BIN)/python -m dev.bench $(BENCH)

.PHONY: bench-quick
bench-quick: $(VENV)/.dev ## Compare exports with HttpOperator, the libraries alone and bare sockets, and warn if ours became slower (15 seconds)
	@$(BIN)/python -m dev.bench --quick

# A longer run: RELIABILITY='--minutes 30 --seed 2'; a shorter one: RELIABILITY='--tries 50'
.PHONY: reliability
reliability: $(VENV)/.azurite ## Kill and interrupt exports and submissions at random, and write docs/reliability.md (sixteen minutes)
	@$(BIN)/python -m dev.chaos $(RELIABILITY)

.PHONY: package
package: export SOURCE_DATE_EPOCH = $(shell git log -1 --format=%ct)
package: $(VENV)/.dev ## Build wheel and sdist into dist/, and test the wheel in an empty environment (two minutes)
	@rm -rf dist
	@$(BIN)/python -m build --quiet --outdir dist
	@$(BIN)/python -m twine check --strict dist/*
	@$(BIN)/python -m pytest tests/package

.PHONY: format
format: $(VENV)/.dev ## Format the code
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

# The Google provider is not in dev, because no test needs the 90 libraries that it brings. It is listed here so that
# every extra can be installed with constraints.txt; provider 22.2 and newer need an older pydantic than Airflow's.
REQUIRED := apache-airflow~=3.3.0 apache-airflow-providers-google~=22.1.0
REQUIRED_next := apache-airflow~=3.4.0b2
REQUIRED_oldest := apache-airflow~=3.1.0 apache-airflow-providers-common-compat~=1.23.0 isal~=1.7.0 msgspec~=0.19.0 \
  pendulum~=3.0 pyarrow~=18.0 requests~=2.32.0 tenacity~=9.0.0 urllib3~=2.6.0 zstandard~=0.22.0

.PHONY: constraints
constraints: ## Write constraints.txt from the newest versions that pip can install together
	@rm -rf $(VENV) && $(PYTHON) -m venv $(VENV) && $(BIN)/python -m pip install --quiet --upgrade pip
	@# Debian 12's Python 3.11.2 is too old for soupsieve 3
	@$(BIN)/python -m pip install --quiet $(REQUIRED) 'soupsieve<3' --editable '.[dev,cluster,ui]'
	@$(BIN)/python -m pip freeze --exclude-editable | grep -E '^[A-Za-z0-9._-]+==' > $(CONSTRAINTS)
	@wc -l $(CONSTRAINTS)

.PHONY: constraints-oldest constraints-next
constraints-oldest: ## Write constraints-oldest.txt with the oldest supported Airflow and libraries
constraints-next: ## Write constraints-next.txt with the newest pre-release of the next Airflow
constraints-oldest constraints-next: constraints-%:
	@$(MAKE) --no-print-directory constraints VENV=.venv-$* CONSTRAINTS=constraints-$*.txt REQUIRED="$(REQUIRED_$*)"

.PHONY: clean
clean: ## Remove everything that git ignores
	@git clean -fdXq
