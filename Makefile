# One target per job; CI calls the same targets. `make help` lists them.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= $(shell command -v python3.11 || command -v python3)
UV := .venv/uv/bin/uv
LOCKED := dev trainer serving tuning sandbox aws kfp modzy optuna workspace
RUNTIME := airflow trainer serving tuning sandbox
DEV := .venv/dev/bin
export PYTHONPATH := $(CURDIR)
# Some machines say it for all; each of our many processes would then compile all that it imports again.
unexport PYTHONDONTWRITEBYTECODE
# A closed network's package mirror has a certificate that this machine trusts, and uv's own list does not.
export UV_SYSTEM_CERTS ?= true
# A recipe that failed half-way would else be taken for done.
.DELETE_ON_ERROR:

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# --- environments ----------------------------------------------------------------------------------------------------

system:
	@PYTHON="$(PYTHON)" sandbox/supervisor/system-packages

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

# PyTorch has the build that TORCH says: cpu, or cuda, which is several GB. pip has to see it; the maker's own index is
# asked where no other has it.
TORCH ?= cpu
CPU_BUILDS := https://download.pytorch.org/whl/cpu
.venv/torch/ready: requirements/torch.txt requirements/torch-cpu.txt requirements/torch-cuda.txt $(UV)
	$(call install,torch,$<)
	@rm .venv/torch/ready
	@pip() { .venv/uv/bin/python -m pip --python .venv/torch install --quiet --disable-pip-version-check --no-deps \
		--require-hashes -r requirements/torch-$(TORCH).txt "$$@"; }; pip || pip --extra-index-url $(CPU_BUILDS)
	@touch $@

# The environments in which the jobs of a use case run, where they are others than the trainer's.
USE_CASE ?= flight_delays
RUNTIMES := $(shell sed -n 's/^ *runtime: *\([a-z]*\).*/\1/p' include/use_cases/$(USE_CASE)/use_case.yaml 2>/dev/null)

setup: $(RUNTIME:%=.venv/%/ready) $(RUNTIMES:%=.venv/%/ready)  ## install what the demo needs

# Iceberg's and S3A's jars come inside wheels; Spark takes what lies among its own.
SPARK_JARS := snowpark_connect_deps_iceberg/jars/iceberg-spark-runtime-3.5_2.12-*.jar \
	sagemaker_pyspark/jars/hadoop-aws-*.jar sagemaker_pyspark/jars/aws-java-sdk-bundle-*.jar

.venv/spark/ready: requirements/spark.txt $(UV)
	@PYTHON="$(PYTHON)" sandbox/supervisor/system-packages java
	$(call install,spark,$<)
	@rm $@; cd .venv/spark/lib/python3.11/site-packages; for jar in $(SPARK_JARS); do ln -sf "../../$$jar" pyspark/jars/; done
	@touch $@

spark: .venv/spark/ready  ## install PySpark with Iceberg (1.2 GB): only what `engine: spark` needs

DESKTOP := vncserver xauth dbus-launch xfce4-session xfwm4 xfdesktop xfce4-panel xfsettingsd xfce4-terminal thunar

desktop:
	@PYTHON="$(PYTHON)" sandbox/supervisor/system-packages $(DESKTOP)

workspace: desktop .venv/workspace/ready  ## install what workspaces need (JupyterLab, XFCE, TigerVNC): docs/systems/workspace.md

# Tests press the pages in a real browser.
browser:
	@PYTHON="$(PYTHON)" sandbox/supervisor/system-packages chromium

# Taken from the packages without installing them: Debian would start both, open to every network.
.venv/prometheus/ready: | system
	@echo "programs prometheus prometheus-pushgateway"
	@PYTHON="$(PYTHON)" sandbox/supervisor/fetch-packages .venv/prometheus prometheus prometheus-pushgateway
	@touch $@

setup-dev: setup browser .venv/prometheus/ready .venv/torch/ready .venv/dev/ready .venv/aws/ready .venv/kfp/ready .venv/modzy/ready  ## install what tests, lint and types need

lock: $(UV)  ## resolve every lock again from its inputs (hashes included)
	@compile() { $(UV) pip compile --quiet --upgrade --python-version 3.11 --no-header --no-annotate --generate-hashes "$$@" >/dev/null; }; set -e; \
	compile --override requirements/override.txt requirements.in -o requirements.txt; \
	for name in dev trainer torch torch-cuda serving sandbox aws kfp optuna workspace; do compile --override requirements/override.txt requirements/$$name.in -o requirements/$$name.txt; done; \
	compile --override requirements/override-spark.txt requirements/spark.in -o requirements/spark.txt; \
	compile --override requirements/override-tuning.txt requirements/tuning.in -o requirements/tuning.txt; \
	compile requirements/modzy.in -o requirements/modzy.txt; \
	compile requirements/uv.in -o requirements/uv.txt

# --- the sandbox -----------------------------------------------------------------------------------------------------

# What a person gave is checked before anything is installed or started.
arguments:
	@"$(PYTHON)" -m sandbox check

days:
	@case "$(DAYS)" in ""|0*|*[!0-9]*|????*) echo "DAYS=$(DAYS) is not a number of days from 1 to 999; say: make play DAYS=7" >&2; exit 2;; esac

demo: arguments setup  ## raw files to a serving champion, on this machine; leaves everything running
	@"$(PYTHON)" -m sandbox up
	@.venv/airflow/bin/python -m sandbox.demo --use-case $(USE_CASE)

DAYS ?= 1
play: days arguments setup  ## land the next DAYS=n days and let the Dags run on them
	@"$(PYTHON)" -m sandbox up
	@.venv/airflow/bin/python -m sandbox.demo --use-case $(USE_CASE) play --days $(DAYS)

loop: arguments setup  ## after the demo: drift, a new champion step by step, a bad candidate taken back
	@"$(PYTHON)" -m sandbox up
	@.venv/airflow/bin/python -m sandbox.demo loop

WITH ?=
up: arguments setup  ## start the sandbox, optional services too: make up WITH=modzy
	@"$(PYTHON)" -m sandbox up $(if $(WITH),all $(WITH))

down:  ## stop the sandbox; data stay
	@"$(PYTHON)" -m sandbox down

status:  ## what runs, where, how it feels
	@"$(PYTHON)" -m sandbox status

SERVICE ?=
logs:  ## follow a service's log: make logs SERVICE=scheduler
	@"$(PYTHON)" -m sandbox logs -f $(SERVICE)

airgap: arguments setup  ## the demo in a network without a way out, watched (needs root and iproute2)
	@"$(PYTHON)" -m sandbox.demo.airgap

SEED ?= 1
SEEDS ?= 1 2 3 4 5 6 7 8 9 10
chaos: arguments setup  ## the demo while processes are killed, its end checked: make chaos SEED=n
	@.venv/airflow/bin/python -m sandbox.demo.chaos $(SEED)

chaos-ten: arguments setup  ## the same with ten seeds, one after the other
	@.venv/airflow/bin/python -m sandbox.demo.chaos $(SEEDS)

# --- images -----------------------------------------------------------------------------------------------------------

ENGINE ?= docker
# `torch`, `spark` and `workspace` are large: make images IMAGES="airflow trainer tuning serving torch spark workspace".
IMAGES ?= airflow trainer tuning serving
VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
comma := ,
# Podman's own format has no health checks.
export BUILDAH_FORMAT := docker

# The context is the commit that the trainer's image will name, without times: equal files, equal layers.
images:  ## build the images of HEAD: make images ENGINE=podman BASE=image (closed networks: docs/images.md)
	@set -e; commit=$$(git rev-parse HEAD); context=$$(mktemp -d); trap 'rm -rf "$$context"' EXIT; \
	git archive "$$commit" | tar -x -C "$$context"; find "$$context" -exec touch -d @0 {} +; \
	for name in $(IMAGES); do \
		echo "image flightline/$$name:$(VERSION) of $$commit"; \
		$(ENGINE) build --target "$$name" --tag "flightline/$$name:$(VERSION)" --tag "flightline/$$name:$$commit" \
			$(if $(BASE),--build-arg BASE="$(BASE)") $(if $(PIP_INDEX_URL),--build-arg PIP_INDEX_URL="$(PIP_INDEX_URL)") \
			$(if $(NETRC),--secret id=netrc$(comma)src="$(NETRC)") --build-arg COMMIT="$$commit" \
			--label org.opencontainers.image.title="flightline/$$name" --label org.opencontainers.image.version="$(VERSION)" \
			--label org.opencontainers.image.revision="$$commit" $(OPTIONS) "$$context"; \
	done

# BUNDLE is the archive of a version's bundle, REPOSITORY where the marketplace pulls from (docs/systems/modzy.md).
marketplace:  ## build a version's marketplace image: make marketplace BUNDLE=file.tar.gz SERVING=image REPOSITORY=name
	@set -e; test -f "$(BUNDLE)" && test -n "$(SERVING)" && test -n "$(REPOSITORY)" || { echo "say BUNDLE=, SERVING= and REPOSITORY=" >&2; exit 2; }; \
	context=$$(mktemp -d); trap 'rm -rf "$$context"' EXIT; tar -xzf "$(BUNDLE)" -C "$$context"; cp deploy/marketplace/Dockerfile "$$context"; \
	tag=$$(basename "$(BUNDLE)" .tar.gz); use_case=$$(sed -n 's/^ "use_case": "\(.*\)",$$/\1/p' "$$context/bundle/bundle.json"); \
	$(ENGINE) build --build-arg SERVING="$(SERVING)" --build-arg USE_CASE="$$use_case" --tag "$(REPOSITORY):$$tag" $(OPTIONS) "$$context"

# Compose refuses to start without them. Letters and digits only: they go into URLs and JSON.
.env:  ## make up the secrets of docker-compose.yaml
	@umask 077; "$(PYTHON)" -c 'import base64, os, secrets; \
	print("FLIGHTLINE_FERNET_KEY=" + base64.urlsafe_b64encode(os.urandom(32)).decode()); \
	[print(f"FLIGHTLINE_{name}={secrets.token_hex(32)}") for name in ("JWT_SECRET", "API_SECRET", "DB_PASSWORD", "S3_PASSWORD", "SIGOPT_TOKEN", "GRAFANA_PASSWORD")]' > $@

# --- quality ---------------------------------------------------------------------------------------------------------

BESIDE := -n 2 --dist loadfile --no-loadscope-reorder
test: setup-dev  ## every test that takes no more than seconds to a minute
	@$(DEV)/python -m pytest $(BESIDE) -m "not long and not soak and not spark and not workspace"

test-all: setup-dev  ## every test, the long fault tests too
	@$(DEV)/python -m pytest $(BESIDE) -m "not soak and not spark and not workspace"

test-spark: setup-dev spark  ## the tests of `engine: spark`, on a local cluster of Spark
	@$(DEV)/python -m pytest -m spark

test-workspace: setup-dev workspace  ## a browser in a workspace: the notebook, the desktop, what a second user finds
	@$(DEV)/python -m pytest -m workspace

variants: setup-dev  ## one version as REST service, batch scores, marketplace model, SageMaker endpoint and edge bundle: equal answers
	@$(DEV)/python -m pytest tests/integration/test_marketplace.py tests/integration/test_endpoint.py tests/integration/test_variants.py tests/integration/test_targets.py

lint: .venv/dev/ready  ## style and import walls
	@$(DEV)/ruff check .
	@$(DEV)/ruff format --check .
	@PYTHONPATH=.:plugins $(DEV)/lint-imports

type: .venv/dev/ready  ## mypy strict on include/, plugins/ and sandbox/
	@$(DEV)/mypy

dashboards: .venv/dev/ready  ## make deploy/grafana and deploy/prometheus of the specs again
	@$(DEV)/python -m include.stages.observability

format: .venv/dev/ready  ## rewrite the code in the house style
	@$(DEV)/ruff check --fix-only --quiet .
	@$(DEV)/ruff format .

bench: setup-dev .venv/optuna/ready  ## measured ratios, side by side in one run
	@set -e; for bench in tests/bench/*.py; do $(DEV)/python $$bench; done

replay: setup-dev  ## live 2013 again under one retraining strategy or another (a quarter of an hour)
	@$(DEV)/python -m sandbox.demo.replay

KILLS ?= 1000
soak: setup-dev  ## tests of many minutes, and a topic's consumer killed KILLS=n times: no message lost, none twice
	@$(DEV)/python -m pytest -m soak
	@$(DEV)/python tests/soak/topics.py --kills $(KILLS)

LANDED ?=
check: .venv/dev/ready $(RUNTIMES:%=.venv/%/ready)  ## check a use case without Airflow: make check USE_CASE=x LANDED=folder
	@PYTHONPATH=.$(RUNTIMES:%=:.venv/%/lib/python3.11/site-packages) $(DEV)/python -m include.steps check $(USE_CASE) \
		$(if $(LANDED),--landed "$(LANDED)")

clean: down  ## stop the sandbox and delete its data and the caches; environments stay
	@rm -rf "$${FLIGHTLINE_HOME:-.sandbox}" .mypy_cache .ruff_cache .pytest_cache .hypothesis
	@find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +

.PHONY: help arguments days system browser spark desktop workspace setup setup-dev lock demo play loop up down status logs airgap chaos chaos-ten images marketplace variants test test-all test-spark test-workspace check lint type dashboards format bench replay soak clean
