# One target per habit; CI runs `make check test`.  Every target sets up what it needs, once, in .venv.

PYTHON ?= python3
BIN := .venv/bin
RUNTIME := .venv/runtime.stamp
DEV := .venv/dev.stamp
RIVALS := .venv/rivals.stamp
# Two workers, for the two cores that CI has.
WORKERS ?= 2

.DEFAULT_GOAL := help
.PHONY: help demo bench test nightly check lint format types lock clean

help: ## Show what there is
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(RUNTIME) ## Watch groups fill while processes are killed under them (ARGS="--groups 40 --nasty full")
	@$(BIN)/python run_system.py demo $(ARGS)

bench: $(RUNTIME) $(RIVALS) ## Measure this and its rivals side by side (ARGS="B2 --quick")
	@$(BIN)/python -m benchmarks $(ARGS)

test: $(DEV) ## Run the tests (ARGS="tests/domain -k slices")
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile $(ARGS)

nightly: $(DEV) ## Simulate, crash and kill for hours; goes on where it was stopped (ARGS="--hours 2")
	@$(BIN)/python -m simulation nightly $(ARGS)

check: lint types ## Linter, formatter check and type checker

lint: $(DEV) ## Linter and formatter check
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: $(DEV) ## Type checker
	@$(BIN)/mypy

format: $(DEV) ## Format the code
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

lock: $(DEV) ## Write requirements.lock anew from pyproject.toml, in a venv of its own
	@rm -rf .venv/lock && $(PYTHON) -m venv .venv/lock
	@.venv/lock/bin/pip install --quiet --disable-pip-version-check .
	@{ sed -n '/^#/p' requirements.lock; .venv/lock/bin/pip freeze --exclude legkeeper --exclude setuptools; } > .venv/new.lock
	@mv .venv/new.lock requirements.lock

clean: ## Remove everything that the other targets made
	@rm -rf .venv run build .pytest_cache .mypy_cache .ruff_cache .hypothesis *.egg-info
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(RUNTIME): requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "legkeeper needs Python 3.11 or newer, as PYTHON=")'
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.lock
	@touch $@

$(DEV): $(RUNTIME) requirements-dev.lock
	@$(BIN)/pip install --quiet --disable-pip-version-check -r requirements-dev.lock
	@touch $@

# The rivals of the benchmarks have a venv of their own.  One that cannot be had here is named in the table.
$(RIVALS): $(RUNTIME) requirements-bench.lock
	@test -x .venv/bench/bin/python || $(PYTHON) -m venv .venv/bench
	@.venv/bench/bin/pip install --quiet --disable-pip-version-check -r requirements-bench.lock && touch $@ || \
	  { echo "not all rivals can be installed here; trying them one by one" >&2; \
	    .venv/bench/bin/pip install --quiet --disable-pip-version-check -r requirements.lock; \
	    for rival in pykka dbos nautilus_trader; do \
	      .venv/bench/bin/pip install --quiet --disable-pip-version-check -c requirements-bench.lock $$rival || true; \
	    done; }
