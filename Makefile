# callboard: `make help` lists the targets.
PYTHON ?= python3
BIN := .venv/bin

.DEFAULT_GOAL := help

.PHONY: help
help:  ## show this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/  \1\t\2/' | expand -t 16

.venv/installed: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

.venv/developed: .venv/installed
	$(BIN)/python -m pip install --quiet --group dev
	@touch $@

.PHONY: demo
demo: .venv/installed  ## install callboard and run its demo (under a minute)
	$(BIN)/callboard demo

.PHONY: check
check: .venv/developed  ## lint, format, types, layers and sizes
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/python -m pytest -q tests/unit/test_structure.py

.PHONY: test
test: .venv/developed  ## run the whole suite
	@# It starts hundreds of processes, which would compile us if PYTHONDONTWRITEBYTECODE is set: half a second each.
	$(BIN)/python -m compileall -q broker sdk supervisor tests
	$(BIN)/python -m pytest -q --numprocesses=logical --dist=worksteal

.venv/upset: .venv/developed
	$(BIN)/python -m pip install --quiet --group chaos
	@touch $@

.PHONY: chaos
chaos: .venv/upset  ## kill, stop and cut things for CHAOS_MINUTES (10), and judge what callers saw
	$(BIN)/python -m chaos --minutes $(or $(CHAOS_MINUTES),10)

.PHONY: churn
churn: .venv/developed  ## drop 2,000 actors, kill 120 times over large values, and look for what is left
	CHURN_CYCLES=2000 LARGE_ROUNDS=120 $(BIN)/python -m pytest -q tests/integration/test_churn.py \
		tests/integration/test_large_deaths.py

.venv-ray/installed: conformance/requirements.txt
	$(PYTHON) -m venv .venv-ray
	.venv-ray/bin/python -m pip install --quiet --requirement conformance/requirements.txt
	@touch $@

.PHONY: conformance
conformance: .venv/developed .venv-ray/installed  ## run small programs on Ray and on callboard, and compare
	$(BIN)/python -m conformance.run

.venv/measured: .venv/developed
	$(BIN)/python -m pip install --quiet --group bench
	@touch $@

.venv-ray/measured: .venv-ray/installed
	.venv-ray/bin/python -m pip install --quiet "numpy>=2.2"
	@touch $@

.PHONY: bench
bench: .venv/measured .venv-ray/measured  ## measure Ray, callboard and the floor in turn (twenty minutes)
	$(BIN)/python -m bench

.PHONY: format
format: .venv/developed  ## format and fix what can be fixed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

.PHONY: clean
clean:  ## remove the virtual environment and caches
	rm -rf .venv .venv-ray .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
