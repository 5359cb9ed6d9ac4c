PYTHON ?= python3
TORCH ?= torch==2.13.0
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

.DEFAULT_GOAL := help
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help demo test soak pictures bench format demo-corpus demo-models clean

help: ## Show the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(INSTALLED) ## Curate the demo corpus with the demo checkpoints
	@$(BIN)/python -m demo

test: $(INSTALLED) ## Lint, type-check and test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pytest -n 2 --dist loadfile

soak: $(INSTALLED) ## The fault suites at full size: kills, crashes, manifests, audio, checkpoints, servers (hours on a busy machine)
	WINNOW_KILLS=1000 WINNOW_COMMAND_KILLS=10 WINNOW_WORKER_KILLS=20 WINNOW_SHARDS=1000 \
	  WINNOW_EXAMPLES=50000 WINNOW_MUTATIONS=500 $(BIN)/pytest -sv tests/faults

pictures: $(INSTALLED) ## Take the README's pictures again (needs chromium and its driver)
	WINNOW_PICTURES=docs $(BIN)/pytest tests/test_deployments.py -k form_and_its_report

bench: $(INSTALLED) ## Every benchmark: the engine against NeMo's transcribe(), what Prefect and Dask cost, manifests, scoring, rules, policies (hours)
	for one in engine batches orchestration manifest scoring refilter ensemble policies; do $(BIN)/python -m benchmarks.$$one || exit 1; done

format: $(INSTALLED) ## Format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

demo-corpus: $(INSTALLED) ## Make the demo corpus again (needs espeak-ng)
	$(BIN)/python -m demo.corpus

demo-models: $(INSTALLED) ## Train the demo checkpoints again (needs espeak-ng; about two and a half hours on two cores)
	$(BIN)/python -m demo.train small
	$(BIN)/python -m demo.train large
	$(BIN)/python -m demo.train third

clean: ## Remove the demo's run and what its training left
	rm -rf demo/run demo/build

# torch by itself, so that another build of it can be asked for: make demo TORCH=torch==2.13.0+cpu
$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "winnow needs Python 3.11 or newer")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --constraint constraints.txt "$(TORCH)"
	$(BIN)/pip install --quiet --constraint constraints.txt --editable ".[dev]"
	@touch $@
