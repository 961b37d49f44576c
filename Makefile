# All work starts here: "make help" lists it. A stamp file in each environment
# remembers what was installed, so that the second run starts at once.

PYTHON ?= python3
ARGS ?=
# ONLY="policy-ignored* fixed-salt" runs these mutants alone.
ONLY ?=
# URL of a PostgreSQL database: the benchmarks make databases of their own beside it.
URL ?=
# SQLALCHEMY=2.0 runs the tests in an environment of its own with that line of it.
SQLALCHEMY ?=
# LOWEST=1 does so with the oldest version of each dependency that is promised.
LOWEST ?=
# SERVERS: auto = use the database servers that answer, require = all of them,
# off = SQLite alone. BROWSER: auto, require or off.
SERVERS ?= auto
BROWSER ?= auto
# LAYOUT: what the demo's settings page stands in: studio, bootstrap or bare.
LAYOUT ?= studio

VENV := .venv$(if $(SQLALCHEMY),-sa$(subst .,,$(SQLALCHEMY)))$(if $(LOWEST),-lowest)
BIN := $(VENV)/bin
METADATA := pyproject.toml setup.cfg
TEMPLATES := flask_byok/templates example_app/templates
INSTALL := $(BIN)/python -m pip install -qq --disable-pip-version-check
PIN := $(if $(SQLALCHEMY),"SQLAlchemy==$(SQLALCHEMY).*")
PIN += $(if $(LOWEST),--constraint $(VENV)/lowest.txt)
FRAMEWORKS := .venv-frameworks
# What these two say they need rules out the SDKs of the day; they run with them.
UNBOUND := "instructor>=1.17" "llama-index-llms-openai>=0.8.3"

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test frameworks mutants benchmarks tables messages pictures lint format types docs build try-wheel try-readme spoil lighthouse clean distclean

help: ## Show what can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 20
	@echo
	@echo '  PYTHON=python3.12     the Python that makes the environment'
	@echo '  ARGS="-k banner -x"   options for pytest'
	@echo '  ONLY="fixed-*"        the mutants to run'
	@echo '  URL=postgresql+psycopg://…  the database of the benchmarks'
	@echo '  SQLALCHEMY=2.0        run the tests on that SQLAlchemy, in .venv-sa20'
	@echo '  LOWEST=1              run them on the oldest promised versions, in .venv-lowest'
	@echo '  SERVERS=require       fail when PostgreSQL, MariaDB or Redis is missing'
	@echo '  BROWSER=require       fail when Chromium is missing'
	@echo '  LAYOUT=bootstrap      show the demo settings page in a Bootstrap app; or LAYOUT=bare'

demo: $(VENV)/.made-demo ## Start the example app with a provider simulator
	@$(BIN)/python -m example_app.demo --layout $(LAYOUT)

test: $(VENV)/.made-tests ## Run the whole test suite
	@TEST_SERVERS=$(SERVERS) TEST_BROWSER=$(BROWSER) $(BIN)/python -m pytest $(ARGS)

frameworks: ## Run the recipes for AI frameworks, in .venv-frameworks
	@$(MAKE) -s VENV=$(FRAMEWORKS) $(FRAMEWORKS)/.made-unbound
	@TEST_FRAMEWORKS=require TEST_SERVERS=off TEST_BROWSER=off $(FRAMEWORKS)/bin/python -m pytest tests/frameworks $(ARGS)

mutants: $(VENV)/.made-tests ## Take out each protection in a copy and see a test fail
	@TEST_SERVERS=$(SERVERS) $(BIN)/python -m tests.mutants $(patsubst %,--only '%',$(ONLY)) $(ARGS)

benchmarks: $(VENV)/.made-tests ## Measure what calls cost beside other clients
	@$(BIN)/python benchmarks/bench_peers.py $(patsubst %,--url '%',$(URL)) $(ARGS)

tables: $(VENV)/.made-tests ## Write what the documentation has from the code anew
	@$(BIN)/python -m tests.support.cases
	@$(BIN)/python -m tests.support.faults
	@$(BIN)/python -m tests.support.mistakes
	@$(BIN)/python -m tests.support.settings_page
	@$(BIN)/python -m tests.support.help_texts
	@$(BIN)/python -m tests.mutants --page

messages: $(VENV)/.made-tests ## Bring the translations in line with the sentences
	@$(BIN)/python -m tests.support.messages

pictures: $(VENV)/.made-tests ## Take the documentation's pictures of the pages anew (needs Chromium)
	@$(BIN)/python -m tests.support.pictures

lighthouse: tests/browser/node_modules/.made ## Install Lighthouse, which the tests then run (needs npm)

tests/browser/node_modules/.made: tests/browser/package.json
	@npm install --prefix tests/browser --no-package-lock --no-audit --no-fund --loglevel=error
	@touch $@

lint: $(VENV)/.made-style ## Check style, templates and import layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/djlint --quiet --lint --check $(TEMPLATES)
	$(BIN)/lint-imports --no-logo

format: $(VENV)/.made-style ## Rewrite the code in the house style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/djlint --quiet --reformat $(TEMPLATES)

types: $(VENV)/.made-typing ## Check the types with mypy and pyright
	$(BIN)/mypy
	$(BIN)/pyright --pythonpath $(BIN)/python

docs: $(VENV)/.made-docs ## Build the documentation into docs/_build/html
	$(BIN)/sphinx-build --fail-on-warning --nitpicky --quiet docs docs/_build/html

build: $(VENV)/.made-tests ## Build the wheel and the sdist into dist/
	rm -rf build dist
	$(BIN)/python -m build --no-isolation

try-wheel: build $(if $(LOWEST),,$(VENV)/.made-typing) ## Install the wheel where there is nothing else: page and types
	@$(BIN)/python -m venv --clear build/alone
	@build/alone/bin/python -m pip install --quiet --disable-pip-version-check dist/*.whl $(PIN)
	build/alone/bin/python -I -W error tests/support/serve_page.py
ifndef LOWEST
	@# What the SDKs' transports derive from; it comes with the extras.
	@build/alone/bin/python -m pip install --quiet --disable-pip-version-check httpx2
	PATH="$(CURDIR)/build/alone/bin:$$PATH" $(BIN)/pyright --verifytypes flask_byok --ignoreexternal
endif

try-readme: $(VENV)/.made-tests ## Follow the README in a fresh clone; count commands and seconds
	@$(BIN)/python -m tests.support.follow_readme

spoil: $(VENV)/.made-tests ## Spoil each example of the documentation and see its test fail
	@$(BIN)/python -m tests.support.examples $(ARGS)

clean: ## Remove what was built
	rm -rf build dist docs/_build tests/artifacts .mypy_cache .pytest_cache \
	    .ruff_cache .import_linter_cache .hypothesis flask_byok.egg-info
	find flask_byok example_app tests benchmarks -name __pycache__ -prune -exec rm -rf {} +

distclean: clean ## Remove the environments and the demo's database, too
	rm -rf .venv .venv-sa* .venv-lowest .venv-peers $(FRAMEWORKS) instance example_app/instance tests/browser/node_modules

$(VENV)/.made:
	@$(PYTHON) -c '' 2>/dev/null || { \
	    echo "'$(PYTHON)' does not run. Install Python 3.10 or newer, or name one: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { \
	    echo "flask-byok needs Python 3.10 or newer; '$(PYTHON)' is $$($(PYTHON) -V 2>&1). Name another: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	    echo "'$(PYTHON)' cannot make virtual environments. On Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
	@echo "Making the environment $(VENV) …"
	@$(PYTHON) -m venv $(VENV)
	@$(INSTALL) --upgrade "pip>=25.1" "setuptools>=77.0.1"
	@touch $@

# The package itself and one group of requirements; the groups stand in pyproject.toml.
$(VENV)/.made-%: $(VENV)/.made $(METADATA)
	@echo "Installing what '$*' needs into $(VENV) …"
	@$(INSTALL) --no-build-isolation --editable . --group $* $(PIN)
	@touch $@

# Extras are promised from a version on, too; what a Python has none of is not wanted there.
$(VENV)/.made-tests: $(if $(LOWEST),$(VENV)/lowest.txt)
$(VENV)/lowest.txt: $(VENV)/.made pyproject.toml
	@sed '/^\[project.entry-points/,$$d' pyproject.toml \
	    | grep -oE '"[A-Za-z0-9-]+(\[[a-z]+\])?>=[0-9.]+"' \
	    | sed -E 's/"//g; s/\[[a-z]+\]//; s/>=/==/' | sort -u > $@

# A few tests import a part of it once: compiling the whole takes longer.
$(VENV)/.made-frameworks: INSTALL += --no-compile

$(VENV)/.made-unbound: $(VENV)/.made-frameworks
	@$(INSTALL) --no-deps $(UNBOUND)
	@touch $@
