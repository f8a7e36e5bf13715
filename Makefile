# SPDX-License-Identifier: Apache-2.0
# Every target creates .venv on first use and prints little on success. Needs git, make and Python 3.11 with venv.
PYTHON ?= $(or $(shell command -v python3.11),python3)
BIN := .venv/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Without bytecode, each Airflow process would compile all of Airflow and take twice the time.
unexport PYTHONDONTWRITEBYTECODE
# pytest and Airflow's commands use a home of their own; no target reads the user's ~/airflow.

.PHONY: help demo airflow test generated faults model check docs crash dist environments matrix e2e e2e-long web screenshots bench bench-docs format clean
help: ## Show this list
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

.venv/.complete: pyproject.toml emulator/pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11"; exit 2; }
	@echo "creating .venv (once; a minute or two)"
	@$(PYTHON) -m venv --clear .venv || { echo "venv is missing: install the package python3-venv"; exit 2; }
	@$(BIN)/pip install --quiet --constraint constraints.txt uv
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --constraint constraints.txt \
	  --editable ./emulator --editable . --group dev --group docs
	@touch $@

demo: .venv/.complete ## Publish an offer on the emulator, in real Airflow, offline; API=product-ingestion for the other API
	@$(BIN)/python scripts/demo.py $(API)

airflow: .venv/.complete ## Start Airflow with its UI, the emulator and the examples; press Ctrl-C to stop
	@$(BIN)/python scripts/web_page.py $(AIRFLOW_ARGS)

test: .venv/.complete ## Run the tests; PYTEST_ARGS takes pytest options, -n 0 for example
	@$(BIN)/python -m pytest -q -n 6 --dist worksteal --cov --cov-report= $(PYTEST_ARGS)
	@$(BIN)/coverage report --include='airflow_provider_cpp/core/*,airflow_provider_cpp/apis/cloud_partner_portal/*,airflow_provider_cpp/apis/product_ingestion/*,airflow_provider_cpp/exceptions.py' --fail-under=100

EXAMPLES ?= 10000
generated: .venv/.complete ## Property tests with EXAMPLES examples each, 10,000 by default
	@HYPOTHESIS_PROFILE=ci EXAMPLES=$(EXAMPLES) $(BIN)/python -m pytest -q -n 4 tests/contract/test_generated.py tests/core/test_at_most_once.py

faults: .venv/.complete ## Send requests to a server that misbehaves at every stage; count hangs and duplicate publishes
	@PYTHONPATH=tests $(BIN)/python -m faults $(FAULTS_ARGS)

MODEL_RUNS ?= 60000
model: .venv/.complete ## Simulate random task runs of a publish: MODEL_RUNS for each API
	@$(BIN)/python tests/model/check.py --runs $(MODEL_RUNS) --jobs 2 $(MODEL_ARGS)

dist: .venv/.complete ## Build wheel and sdist, install the wheel alone, run the tests against it
	@$(BIN)/python scripts/distribution.py

check: .venv/.complete ## Check format, lint, types and import rules
	@$(BIN)/ruff format --quiet --check . || { echo "run make format"; exit 1; }
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy --no-error-summary
	@$(BIN)/lint-imports --no-cache >.venv/imports.log 2>&1 || { cat .venv/imports.log; exit 1; }

.venv-%/.complete: pyproject.toml emulator/pyproject.toml constraints-%.txt .venv/.complete
	@echo "creating .venv-$* (once; a minute or two)"
	@$(PYTHON) -m venv --clear .venv-$*
	@$(BIN)/uv pip install --quiet --python .venv-$*/bin/python --constraint constraints-$*.txt \
	  --editable ./emulator --editable . --group test apache-airflow
	@touch $@

MATRIX := $(foreach name,2.11 lowest 3.0 3.1 3.2,.venv-$(name)/.complete)
.SECONDARY: $(MATRIX)
environments: $(MATRIX) .venv-e2e/.complete ## Create the environments of all commands now; in parallel with --jobs
	@:

matrix: .venv/.complete $(MATRIX) ## Run the tests on each Airflow from 2.11 to 3.3 and with the lowest versions; about ten minutes
	@$(BIN)/python scripts/matrix.py $(MATRIX_ARGS)

crash: .venv/.complete .venv-2.11/.complete ## Kill publish and go-live at every step, on Airflow 3.3 and 2.11; about ten minutes
	@$(BIN)/python tests/crash/table.py --airflow2 .venv-2.11/bin/python $(CRASH_ARGS)

.venv-e2e/.complete: pyproject.toml emulator/pyproject.toml constraints.txt constraints-e2e.txt .venv/.complete
	@echo "creating .venv-e2e, with Celery, PostgreSQL's drivers and Playwright (once)"
	@$(PYTHON) -m venv --clear .venv-e2e
	@$(BIN)/uv pip install --quiet --python .venv-e2e/bin/python --constraint constraints.txt --constraint constraints-e2e.txt \
	  --editable ./emulator --editable . --group test --group e2e
	@touch $@

E2E_OFFERS ?= 200
export E2E_OFFERS
e2e: .venv-e2e/.complete ## Publish in real deployments while parts of them are killed; needs apt-get install postgresql redis-server
	@.venv-e2e/bin/python -m pytest -q -n 2 --dist loadscope tests/e2e $(E2E_ARGS)

e2e-long: .venv-e2e/.complete ## Run the random mixture of faults with three seeds
	@for seed in 1 2 3; do E2E_SEED=$$seed .venv-e2e/bin/python -m pytest -q tests/e2e -k mixture $(E2E_ARGS) || exit 1; done

web: .venv-e2e/.complete ## Test the Airflow UI in a browser, against the emulator; needs apt-get install chromium
	@.venv-e2e/bin/python -m pytest -q tests/web $(WEB_ARGS)

screenshots: .venv-e2e/.complete ## Run make web, and store the screenshots of the documentation
	@SCREENSHOTS=docs/_static/screenshots .venv-e2e/bin/python -m pytest -q tests/web $(WEB_ARGS)

.venv-bench/.complete: pyproject.toml emulator/pyproject.toml constraints.txt constraints-bench.txt .venv/.complete
	@echo "creating .venv-bench, with the providers of the comparison (once)"
	@$(PYTHON) -m venv --clear .venv-bench
	@$(BIN)/uv pip install --quiet --python .venv-bench/bin/python --constraint constraints.txt --constraint constraints-bench.txt \
	  --editable ./emulator --editable . --group bench
	@touch $@

BENCH ?= full
bench: .venv-bench/.complete ## Measure what a wait costs, compared with other providers; 15 minutes, BENCH=short about four
	@.venv-bench/bin/python -m benchmarks $(BENCH)

bench-docs: .venv-bench/.complete ## Store the results of the last full make bench in docs/performance
	@.venv-bench/bin/python -m benchmarks.store

format: .venv/.complete ## Format the code and apply the fixes of ruff
	@$(BIN)/ruff check --quiet --fix-only .
	@$(BIN)/ruff format --quiet .

docs: .venv/.complete ## Build the documentation into docs/_build/html; warnings are errors
	@$(BIN)/python -m sphinx -q -W --keep-going -b html docs docs/_build/html >.venv/docs.log

clean: ## Remove all generated files
	@rm -rf .venv .venv-* .matrix .e2e .bench docs/_build .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache
