# Every routine of this project, one command each. .ci/run and the GitHub workflow call these targets.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# Where pip may find the wheel's dependencies, e.g. PIP_FLAGS="--extra-index-url https://download.pytorch.org/whl/cpu".
PIP_FLAGS ?=

.DEFAULT_GOAL := help
.PHONY: help setup run test slow lint format types imports sizes samples studies docs smoke wheel bench ci clean
# Kaggle's zips, for the pages of the studies.
KAGGLE ?= ../shared/kaggle

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## create the environment (VENV): kpipe, editable, and the tools of its developers
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q $(PIP_FLAGS) -c constraints.txt -e ".[dev]"

run: ## run titanic on its sample data
	$(BIN)/kpipe run titanic

test: ## run the tests and the doctests (all of them: make test ARGS="-m ''")
	$(BIN)/python -m pytest $(ARGS)

slow: ## the slow tests that CI runs too: planted mistakes, kills, budgets, studies
	$(BIN)/python -m pytest -m slow tests/checks/test_refit.py tests/checks/test_cleaning.py \
		tests/checks/test_predictions.py tests/checks/test_postprocess_leakage.py tests/runs/test_endurance.py \
		tests/training/test_budget.py tests/studies/test_studies.py tests/contract/test_samples.py \
		-k "not hundred and not everywhere and not false_alarm and not found_by_luck"

lint: ## ruff: rules and formatting
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: ## let ruff rewrite what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: ## mypy, strict
	$(BIN)/mypy

imports: ## import-linter: imports point one way
	$(BIN)/lint-imports

sizes: ## the longest functions and modules; fails above the limits
	$(BIN)/python tools/sizes.py

samples: ## rewrite the sample data (the same bytes)
	$(BIN)/python tools/make_samples.py

studies: ## rewrite docs/studies from Kaggle's zips in KAGGLE (about 7 minutes, on a quiet machine)
	$(BIN)/kpipe study titanic-from-scratch --data $(KAGGLE)/titanic.zip --out docs/studies
	$(BIN)/kpipe study titanic-two-targets --data $(KAGGLE)/titanic.zip --out docs/studies
	$(BIN)/kpipe study house-prices-mlp --data $(KAGGLE)/house-prices-advanced-regression-techniques.zip --out docs/studies
	$(BIN)/kpipe study fully-connected --runs 3 --out docs/studies
	$(BIN)/kpipe study digits-from-scratch --data $(KAGGLE)/digit-recognizer.zip --out docs/studies

docs: ## build the site into build/docs, warnings as errors (installs the extra "docs")
	$(BIN)/python -m pip install -q $(PIP_FLAGS) -c constraints.txt -e ".[docs]"
	$(BIN)/python -m sphinx -W --keep-going -q -E -b html docs build/docs

smoke: ## a whole run of titanic's sample in an empty folder, its record read back
	BIN=$(abspath $(BIN)) tools/smoke.sh

wheel: ## build the wheel, install it in a fresh venv outside the checkout, use it there
	PYTHON=$(PYTHON) BIN=$(abspath $(BIN)) PIP_FLAGS="$(PIP_FLAGS)" tools/wheel.sh

bench: ## the benchmarks: equal results first, then ratios (but for scores.py, which takes an hour)
	@for file in $(filter-out benchmarks/_%.py benchmarks/scores.py,$(wildcard benchmarks/*.py)); do echo "== $$file"; $(BIN)/python "$$file" || exit 1; done

ci: lint types imports sizes docs smoke wheel test slow ## everything that CI checks

clean: ## remove caches and build outputs
	rm -rf build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
