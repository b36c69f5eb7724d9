# One target per job; CI calls the same targets. `make help` lists them.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= $(shell command -v python3.11 || command -v python3)
UV := .venv/uv/bin/uv
LOCKED := dev trainer serving tuning sandbox
RUNTIME := airflow trainer serving tuning sandbox
DEV := .venv/dev/bin
export PYTHONPATH := $(CURDIR)

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# --- environments ----------------------------------------------------------------------------------------------------

system:
	@PYTHON="$(PYTHON)" sandbox/system-packages

$(UV): requirements/uv.txt | system
	@echo "environment uv"
	@"$(PYTHON)" -m venv .venv/uv
	@.venv/uv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.txt
	@touch $@

define install
	@echo "environment $(1)"
	@$(UV) venv --quiet --clear --python "$(PYTHON)" .venv/$(1)
	@VIRTUAL_ENV=.venv/$(1) $(UV) pip install --quiet --require-hashes --no-deps -r $(2)
	@touch .venv/$(1)/ready
endef

.venv/airflow/ready: requirements.txt $(UV)
	$(call install,airflow,$<)

$(LOCKED:%=.venv/%/ready): .venv/%/ready: requirements/%.txt $(UV)
	$(call install,$*,$<)

setup: $(RUNTIME:%=.venv/%/ready)  ## install what the demo needs

setup-dev: setup .venv/dev/ready  ## install what tests, lint and types need

lock: $(UV)  ## resolve every lock again from its inputs (hashes included)
	@compile() { $(UV) pip compile --quiet --upgrade --python-version 3.11 --no-header --no-annotate --generate-hashes "$$@" >/dev/null; }; set -e; \
	compile --override requirements/override.txt requirements.in -o requirements.txt; \
	for name in dev trainer serving sandbox; do compile --override requirements/override.txt requirements/$$name.in -o requirements/$$name.txt; done; \
	compile --override requirements/override-tuning.txt requirements/tuning.in -o requirements/tuning.txt; \
	compile requirements/uv.in -o requirements/uv.txt

# --- the sandbox -----------------------------------------------------------------------------------------------------

demo: setup  ## raw files to a serving champion, on this machine; leaves everything running
	@"$(PYTHON)" -m sandbox up
	@.venv/airflow/bin/python -m sandbox.demo

DAYS ?= 1
play: setup  ## land the next DAYS=n days and let the Dags run on them
	@"$(PYTHON)" -m sandbox up
	@.venv/airflow/bin/python -m sandbox.demo play --days $(DAYS)

up: setup  ## start the sandbox
	@"$(PYTHON)" -m sandbox up

down:  ## stop the sandbox; data stay
	@"$(PYTHON)" -m sandbox down

status:  ## what runs, where, how it feels
	@"$(PYTHON)" -m sandbox status

SERVICE ?=
logs:  ## follow a service's log: make logs SERVICE=scheduler
	@"$(PYTHON)" -m sandbox logs -f $(SERVICE)

# --- quality ---------------------------------------------------------------------------------------------------------

test: setup-dev  ## every test that takes no more than seconds to a minute
	@$(DEV)/python -m pytest -m "not long"

test-all: setup-dev  ## every test, the long fault tests too
	@$(DEV)/python -m pytest

lint: .venv/dev/ready  ## style and import walls
	@$(DEV)/ruff check .
	@$(DEV)/ruff format --check .
	@PYTHONPATH=.:plugins $(DEV)/lint-imports

type: .venv/dev/ready  ## mypy strict on include/ and plugins/
	@$(DEV)/mypy

format: .venv/dev/ready  ## rewrite the code in the house style
	@$(DEV)/ruff check --fix-only --quiet .
	@$(DEV)/ruff format .

bench: setup-dev  ## measured ratios, side by side in one run
	@for bench in tests/bench/*.py; do $(DEV)/python $$bench; done

clean: down  ## stop the sandbox and delete its data and the caches; environments stay
	@rm -rf "$${FLIGHTLINE_HOME:-.sandbox}" .mypy_cache .ruff_cache .pytest_cache .hypothesis
	@find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +

.PHONY: help system setup setup-dev lock demo play up down status logs test test-all lint type format bench clean
