# The verbs of Aisle. `make help` lists them.

PYTHON ?= python3
ARGS ?=
# Processes that tests run in, those of one file together; 0 runs them here, for a debugger.
WORKERS ?= 2

VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
LOCKS := requirements/bootstrap.txt requirements/all.txt
# Spark is 430 MB, which only its tests need: a lock of its own, laid over the other.
SPARK := $(VENV)/.spark

# pip of the machine, acting on the environment: works where Python comes without `ensurepip`, too.
PIP := $(PYTHON) -m pip --python $(BIN)/python --disable-pip-version-check
COMPILE := $(BIN)/python -m uv pip compile --quiet --universal --generate-hashes --no-emit-index-url \
	--no-annotate --no-header --python-version 3.11
EXTRAS := airflow demo dev serving training
CODE := dags feature_repo infra pipelines serving tests

.DEFAULT_GOAL := help
.PHONY: help install demo features test check format lock clean

help: ## List the verbs
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | awk -F'\t' '{printf "  make %-10s %s\n", $$1, $$2}'

install: $(INSTALLED) ## Create .venv and install the hash-pinned lock (the other verbs do it by themselves)

demo: $(INSTALLED) ## Run the whole loop on real shop data and keep it running; ARGS=--exit stops it at the end
	@$(BIN)/aisle demo $(ARGS)

features: $(INSTALLED) ## Serve features to other teams on 127.0.0.1:6566; how to ask: docs/features.md
	@$(BIN)/aisle features serve $(ARGS)

test: $(INSTALLED) $(SPARK) ## Run the whole test suite; ARGS goes to pytest
	@$(BIN)/python -m pytest --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder $(ARGS)

check: $(INSTALLED) ## Format, lint, types, import rules, and releases that break; changes nothing
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/ruff check $(CODE)
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/aisle features plan --check

format: $(INSTALLED) ## Format the code and correct what the linter can
	$(BIN)/ruff format $(CODE)
	$(BIN)/ruff check --fix $(CODE)

lock: $(INSTALLED) ## Compile the lock files anew from pyproject.toml; ARGS=--upgrade takes newer versions
	echo 'uv' | $(COMPILE) $(ARGS) - --output-file requirements/bootstrap.txt
	$(COMPILE) $(ARGS) $(EXTRAS:%=--extra %) pyproject.toml --output-file requirements/all.txt
	$(COMPILE) $(ARGS) --extra serving pyproject.toml --output-file requirements/serving.txt
	$(COMPILE) $(ARGS) --extra spark --constraint requirements/all.txt pyproject.toml --output-file requirements/spark.txt

clean: ## Remove what runs and builds have left: var/, build/ and caches; .venv stays
	rm -rf var build .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache *.egg-info
	find $(CODE) -name __pycache__ -type d -prune -exec rm -rf {} +

# Its date says when the environment was made from these files; a newer lock installs again.
$(INSTALLED): $(LOCKS) pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null || { \
		echo "Aisle needs Python 3.11, 3.12 or 3.13; \`$(PYTHON)\` is: $$($(PYTHON) --version 2>&1)."; \
		echo "Install one and name it: make $(MAKECMDGOALS) PYTHON=python3.12"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) 2>/dev/null || $(PYTHON) -m venv --without-pip $(VENV)
	@echo "Installing the locked packages into $(VENV) (the first time takes a minute or two) ..."
	@$(PIP) install --quiet --require-hashes --no-deps -r requirements/bootstrap.txt
	@$(BIN)/python -m uv pip install --quiet --python $(BIN)/python --require-hashes --no-deps -r requirements/all.txt || { \
		echo "uv could not install the lock; going on with pip, which takes some minutes ..."; \
		$(PIP) install --quiet --require-hashes --no-deps -r requirements/all.txt; }
	@$(BIN)/python -m uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e . || \
		$(PIP) install --quiet --no-deps --no-build-isolation -e .
	@touch $@

# PySpark comes as source: it is packed by the locked setuptools.
$(SPARK): requirements/spark.txt $(INSTALLED)
	@echo "Installing Spark for its tests (the first time takes a minute) ..."
	@$(BIN)/python -m uv pip install --quiet --python $(BIN)/python --require-hashes --no-deps \
		--no-build-isolation-package pyspark -r requirements/spark.txt || \
		$(PIP) install --quiet --require-hashes --no-deps --no-build-isolation -r requirements/spark.txt
	@touch $@
