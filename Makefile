# Everything happens in .venv, which the first target makes: Python 3.11 or newer, its venv module and make are enough.

PYTHON ?= $(shell for p in python3.12 python3.11 python3.13 python3.14 python3; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
unexport PYTHONDONTWRITEBYTECODE  # each of the many processes of the tests would compile everything again

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-faults test-mutations bench check lint types contracts fix lock up build clean

help: ## Show this
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

setup: $(VENV)/.dev ## Make .venv with everything that development needs

$(VENV)/.made:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed, with its venv module: none was found" >&2; exit 2; }
	@echo "Making $(VENV) with $(PYTHON)"
	@$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.run: $(VENV)/.made requirements.lock pyproject.toml
	@echo "Installing what Bulksend runs on"
	@$(PIP) install --require-hashes -r requirements.lock
	@$(PIP) install --no-deps -e .
	@touch $@

$(VENV)/.dev: $(VENV)/.run requirements-dev.lock
	@echo "Installing what development needs"
	@$(PIP) install --require-hashes -r requirements-dev.lock
	@touch $@

demo: $(VENV)/.run ## Send a real file through Redis, a worker and a simulated gateway
	@$(BIN)/bulksend demo $(ARGS)

test: $(VENV)/.dev ## Run the tests, with a selection of the fault tests
	@$(BIN)/python -m pytest -n 2 --dist worksteal -m "not fault or selected" $(ARGS)

test-faults: $(VENV)/.dev ## Run all fault tests and write what they saw
	@$(BIN)/python -m pytest -n 2 --dist worksteal tests/fault --write-table $(ARGS)

test-mutations: $(VENV)/.dev ## Switch each protection off and see tests fail
	@$(BIN)/python -m tests.mutations $(ARGS)

bench: $(VENV)/.dev ## Measure how well the limits are kept and used
	@$(BIN)/python -m tests.bench $(ARGS)

check: lint types contracts ## Everything but the tests

lint: $(VENV)/.dev ## Style of every file
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check

types: $(VENV)/.dev ## Types of every file
	@$(BIN)/mypy

contracts: $(VENV)/.dev ## Who may import whom
	@$(BIN)/lint-imports

fix: $(VENV)/.dev ## Mend what can be mended by itself
	@$(BIN)/ruff check --fix
	@$(BIN)/ruff format

lock: $(VENV)/.dev ## Choose the newest allowed versions anew; the files name no registry
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --upgrade \
		--no-emit-index-url --no-emit-find-links --no-header --extra postgres pyproject.toml -o requirements.lock
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --upgrade \
		--no-emit-index-url --no-emit-find-links --no-header --extra postgres --group dev \
		-c requirements.lock pyproject.toml -o requirements-dev.lock

up: $(VENV)/.run ## Run every role with the bulksend.toml of this folder
	@$(BIN)/bulksend up

build: $(VENV)/.dev ## Make the wheel and try it in an environment of its own
	@rm -rf dist build/wheel
	@$(BIN)/uv build --quiet --wheel --out-dir dist
	@$(PYTHON) -m venv build/wheel
	@build/wheel/bin/python -m pip --disable-pip-version-check --quiet install --require-hashes -r requirements.lock
	@build/wheel/bin/python -m pip --disable-pip-version-check --quiet install --no-deps dist/*.whl
	@cd build && wheel/bin/bulksend --version && wheel/bin/bulksend --help > /dev/null

clean: ## Remove what make made
	@rm -rf $(VENV) dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage*
