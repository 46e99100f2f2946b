# One target for each routine task. .ci/run and the GitHub workflow call these targets.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# Options of pip install, for example PIP_FLAGS="--extra-index-url https://download.pytorch.org/whl/cpu".
PIP_FLAGS ?=

.DEFAULT_GOAL := help
.PHONY: help setup run test slow lint format types imports sizes samples studies docs smoke wheel bench ci clean
# The folder of Kaggle's zips, for the studies.
KAGGLE ?= ../shared/kaggle

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## create the environment (VENV) with kpipe, editable, and the development tools
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q $(PIP_FLAGS) -c constraints.txt -e ".[dev]"

run: ## run titanic on its sample data
	$(BIN)/kpipe run titanic

test: ## run tests and doctests (including the slow ones: make test ARGS="-m ''")
	$(BIN)/python -m pytest $(ARGS)

slow: ## run the slow tests that CI also runs: planted mistakes, kills, budgets, studies, the tutorial
	$(BIN)/python -m pytest -m slow tests/checks/test_refit.py tests/checks/test_cleaning.py \
		tests/checks/test_predictions.py tests/checks/test_postprocess_leakage.py tests/runs/test_endurance.py \
		tests/training/test_budget.py tests/studies/test_studies.py tests/contract/test_samples.py tests/cli/test_skill.py \
		tests/cli/test_messages.py \
		tests/checks/test_planted_mistakes.py "tests/docs/test_docs.py::test_a_page_can_be_followed_from_an_empty_folder[tutorial.md]" \
		-k "not hundred and not everywhere and not false_alarm and not found_by_luck"

lint: ## check rules and formatting with ruff
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: ## fix rules and formatting with ruff
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: ## check types with mypy, strict
	$(BIN)/mypy

imports: ## check the layers of imports with import-linter
	$(BIN)/lint-imports

sizes: ## print the longest functions and modules; fail above the limits
	$(BIN)/python tools/sizes.py

samples: ## generate the sample data again (the same bytes)
	$(BIN)/python tools/make_samples.py

studies: ## generate docs/studies from Kaggle's zips in KAGGLE (about 7 minutes on an idle machine)
	$(BIN)/kpipe study titanic-from-scratch --data $(KAGGLE)/titanic.zip --out docs/studies
	$(BIN)/kpipe study titanic-two-targets --data $(KAGGLE)/titanic.zip --out docs/studies
	$(BIN)/kpipe study house-prices-mlp --data $(KAGGLE)/house-prices-advanced-regression-techniques.zip --out docs/studies
	$(BIN)/kpipe study fully-connected --runs 3 --out docs/studies
	$(BIN)/kpipe study digits-from-scratch --data $(KAGGLE)/digit-recognizer.zip --out docs/studies

docs: ## build the site in build/docs, with warnings as errors (installs the extra "docs")
	$(BIN)/python -m pip install -q $(PIP_FLAGS) -c constraints.txt -e ".[docs]"
	$(BIN)/python -m sphinx -W --keep-going -q -E -b html docs build/docs

smoke: ## run titanic's sample in an empty folder, and check the record
	BIN=$(abspath $(BIN)) tools/smoke.sh

wheel: ## build the wheel, install it in a new venv outside the checkout, and run it there
	PYTHON=$(PYTHON) BIN=$(abspath $(BIN)) PIP_FLAGS="$(PIP_FLAGS)" tools/wheel.sh

bench: ## run the benchmarks: equal results first, then ratios (except scores.py, which takes an hour)
	@for file in $(filter-out benchmarks/_%.py benchmarks/scores.py,$(wildcard benchmarks/*.py)); do echo "== $$file"; $(BIN)/python "$$file" || exit 1; done

ci: lint types imports sizes docs smoke wheel test slow ## run all checks of CI

clean: ## remove caches and build outputs
	rm -rf build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
