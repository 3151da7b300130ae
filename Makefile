# What developers and CI run; `make help` lists it.

PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin
DONE := .venv/.installed
unexport PYTHONDONTWRITEBYTECODE # a run has the same modules read by hundreds of processes

.DEFAULT_GOAL := help
.PHONY: help setup demo run test check fmt golden docs bench soak crash lock clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "%-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(DONE) ## Make .venv with everything that is needed

$(DONE): requirements.txt pyproject.toml hatch_build.py albatross/xds/native/ordinary.c
	@test -n "$(PYTHON)" || { echo "Albatross needs Python 3.11 or newer, and none was found on PATH." \
		"Install one, or name it: make setup PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { echo "$(PYTHON) cannot make virtual" \
		"environments. Install its venv package (Debian: apt install python3-venv)." >&2; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --requirement requirements.txt
	$(BIN)/pip install --quiet --no-build-isolation --no-deps --editable .
	@touch $@

demo: $(DONE) ## Serve a function behind a load balancer and show requests going in and out
	@PATH="$(CURDIR)/$(BIN):$$PATH" examples/demo

run: $(DONE) ## Serve the AWS API and the load balancers made through it
	$(BIN)/albatross serve

test: $(DONE) ## Run all tests but those of `check`
	$(BIN)/python -m pytest -q tests/test_supervisor.py # it forks: in a process without gRPC's threads
	$(BIN)/python -m pytest --numprocesses 3 --dist loadfile --no-loadscope-reorder \
	  --ignore tests/test_supervisor.py --ignore tests/test_sizes.py $(ARGS)

check: $(DONE) ## Check format, lint, types, imports and sizes
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -q tests/test_sizes.py

fmt: $(DONE) ## Format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

golden: $(DONE) ## Rewrite the golden files; then read the difference
	UPDATE_GOLDEN=1 $(BIN)/python -m pytest -q tests/xds/test_translate.py tests/xds/test_https_golden.py \
	  tests/clients/test_cli_examples.py
	git diff --stat tests/golden docs/cli-examples.md

docs: $(DONE) ## Rewrite the generated pages of docs/
	$(BIN)/python -m albatross.pages.reference configuration > docs/configuration.md
	$(BIN)/python -m albatross.pages.reference cli > docs/cli.md
	$(BIN)/python -m albatross.pages.coverage > docs/coverage.md
	$(BIN)/python -m albatross.pages.deviations > docs/deviations.md

bench: $(DONE) ## Measure throughput and latency; BENCH="--only rules" for a part
	$(BIN)/python bench/bench.py $(BENCH)

soak: $(DONE) ## Run under load for a while (MINUTES=10): look for leaks, and change everything meanwhile
	ALBATROSS_TEST_CHANGES=500 $(BIN)/python -m pytest -q tests/e2e/test_hitless.py
	$(BIN)/python bench/soak.py

crash: $(DONE) ## Kill everything 500 times on each database (half an hour each): nothing acknowledged is lost
	ALBATROSS_TEST_CRASHES=500 $(BIN)/python -m pytest -q -s tests/e2e/test_crashes.py

lock: $(DONE) ## Rewrite requirements.txt with the newest versions that fit
	$(BIN)/pip install --quiet --upgrade --upgrade-strategy eager --group dev --editable .
	{ head -1 requirements.txt; $(BIN)/pip freeze --all --exclude-editable --exclude pip; } > .venv/lock
	mv .venv/lock requirements.txt

clean: ## Remove what the other targets made
	rm -rf .venv build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
