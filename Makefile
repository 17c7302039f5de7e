# Everyday commands; `make` lists them. Files are created inside this folder (.venv, .baton), except for
# the per-user caches of pip, Maven and Baton.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
.PHONY: help setup demo test lint reference check-docs bench reliability up down lock clean

SHELL := /bin/sh
VENV  := .venv
BIN   := $(VENV)/bin
PIP   := $(BIN)/python -m pip --disable-pip-version-check --no-input
UV    := uv==0.13.9

help: ## List these targets
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' Makefile

setup: $(VENV)/.installed ## Create .venv with the locked dependencies and Baton

demo: setup ## Run a simulated quarter through a real Kafka, and print the numbers
	$(BIN)/baton demo --once

# A file runs in one process, which has a broker of its own. The tests run even when lint fails, so that one run shows everything to fix.
test: setup ## Run lint and every test
	@command -v chromium >/dev/null || command -v google-chrome >/dev/null || [ -n "$(BATON_TEST_CHROMIUM)" ] || \
	  echo "Chromium is not installed: the browser tests of the page will fail (apt-get install chromium)" >&2
	@failed=0; \
	$(MAKE) --no-print-directory lint || failed=$$?; \
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder --durations=10 || failed=$$?; \
	exit $$failed

lint: setup ## Check style, types, import direction, and private names
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/python -m pytest -q tests/contracts/test_house.py -k private_name

reference: setup ## Regenerate docs/reference
	$(BIN)/baton contract docs
	$(BIN)/python -m docs.pages

check-docs: setup ## Check that docs/reference is current, and that documented commands and files exist
	$(BIN)/baton contract docs --check
	$(BIN)/python -m docs.pages --check
	$(BIN)/python -m pytest tests/contracts

bench: setup $(VENV)/.bench ## Run the benchmarks and write docs/benchmarks.md (ONLY=latency: one case, no page)
	$(BIN)/python -m benchmarks $(ONLY) $(if $(QUICK),--quick)

reliability: setup ## Run the tests of every fault and write docs/reliability.md
	$(BIN)/python -m tests.faults.reliability $(ONLY)

up: setup ## Start Kafka and the workers on this machine
	$(BIN)/baton up

down: setup ## Stop what `make up` started; the data stays
	$(BIN)/baton down

lock: ## Resolve the dependencies and write both lock files
	@$(find_python); set -e; \
	"$$python" -m venv --clear $(VENV)/lock; \
	$(VENV)/lock/bin/python -m pip --disable-pip-version-check install --quiet '$(UV)'; \
	compile="$(VENV)/lock/bin/uv pip compile pyproject.toml --universal --python-version 3.11 --upgrade --quiet \
	  --generate-hashes --no-emit-index-url --no-header"; \
	$$compile --extra test --group build -o requirements.lock; \
	$$compile --extra bench --constraints requirements.lock -o requirements-bench.lock

clean: ## Remove .venv, caches and build results (not .baton, which holds data)
	rm -rf $(VENV) build dist .hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
	find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +

# --- how setup works --------------------------------------------------------------------------------
# A changed lock recreates .venv, so that removed packages are not importable. A changed pyproject.toml only
# reinstalls Baton. A failed step writes no stamp, and make stops there.

$(VENV)/.locked: requirements.lock
	@$(find_python); set -e; \
	echo "creating $(VENV) with $$("$$python" --version)"; \
	"$$python" -m venv --clear $(VENV)
	$(PIP) install --quiet --require-hashes -r requirements.lock
	@touch $@

$(VENV)/.installed: $(VENV)/.locked pyproject.toml
	$(PIP) install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.bench: $(VENV)/.locked requirements-bench.lock
	$(PIP) install --quiet --require-hashes -r requirements-bench.lock
	@touch $@

# The first Python of 3.11 or later that runs and can create a virtual environment. Being on the PATH is
# not enough: version managers put shims there that do not run.
define find_python
for python in $(PYTHON) python3.13 python3.12 python3.11 python3 none; do \
  if "$$python" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; \
  then break; fi; \
done; \
if [ "$$python" = none ]; then \
  echo "Baton needs Python 3.11 or later with venv, and found none." >&2; \
  echo "  looked for: $(PYTHON) python3.13 python3.12 python3.11 python3" >&2; \
  echo "  next:       install one (Debian: apt-get install python3 python3-venv)," >&2; \
  echo "              or name one: make setup PYTHON=/path/to/python3" >&2; \
  exit 1; \
fi
endef
