# Hài Lòng. `make demo` and `make test` do all the set-up that they need; the first run takes minutes, later ones seconds.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
MEDIA := $(VENV)/.media
DISTRIBUTION_PYTHON ?= /usr/bin/python3
# One worker more than cores: tests wait for sockets, browsers and data bases a good part of their time.
WORKERS ?= $(shell echo $$(($$(nproc) + 1)))
# A test that no time-out can end (an end that waits for a child, a native library) ends its worker after so many seconds,
# with the stacks of all threads, and never the run.
GUARD := -o faulthandler_timeout=1500 -o faulthandler_exit_on_timeout=true
# Compiled modules are kept: the tests start programs by the hundred, and each would compile all of them again.
unexport PYTHONDONTWRITEBYTECODE
BOX_TESTS := tests/edge/deploy tests/edge/delivery tests/edge/test_config.py tests/delivery/test_keys.py

.DEFAULT_GOAL := help
.PHONY: sbom help setup demo test test-slow fuzz test-distribution test-field test-spark check lint types imports
.PHONY: check-docs speech messages format lock clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: $(MEDIA) ## environment in .venv, third-party weights, the demo's media

# Modules are compiled when they are first used (--no-compile): most of these packages' never are. The lock file's own
# pip comes first: it needs half the processor time of the one that Python 3.11 brings. The lock is whole (--no-deps).
$(STAMP): requirements/dev.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Hài Lòng needs Python 3.11 or newer: make PYTHON=python3.11 ...")'
	$(PYTHON) -m venv $(VENV)
	@echo "Installing $$(grep -c '^[a-z]' requirements/dev.lock) packages into $(VENV): some minutes, once"
	@sed -n '/^pip==/,/^[^ ]/{/^pip==/p;/^ /p}' requirements/dev.lock > $(VENV)/pip.lock
	$(BIN)/python -m pip install --quiet --no-compile --require-hashes -r $(VENV)/pip.lock
	$(BIN)/python -m pip install --no-compile --no-deps --require-hashes -r requirements/dev.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

$(MEDIA): $(STAMP) $(wildcard models/cards/*.toml hailong/*.toml hailong/demo_media.py)
	$(BIN)/hailong models fetch --demo
	$(BIN)/hailong demo --prepare
	@touch $@

demo: setup ## the whole path on one machine: server, two boxes, real faces and speech
	$(BIN)/hailong demo $(DEMO)

$(VENV)/.speech: $(MEDIA) $(wildcard models/cards/whisper*.toml models/cards/text_encoder.toml)
	$(BIN)/hailong models fetch --asr
	@touch $@

speech: $(VENV)/.speech

test: setup speech ## all tests but the soak ones
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(GUARD) tests $(ARGS)

test-slow: setup ## the soak tests: 200 kills, long fuzzing
	$(BIN)/python -m pytest -m soak -s tests $(ARGS)

fuzz: setup ## the property tests with examples that no run has seen
	$(BIN)/python -m pytest -n 2 --dist loadfile -m hypothesis --hypothesis-profile default tests $(ARGS)

test-distribution: setup ## the box's tests on the distribution's own Python
	@sh requirements/on_distribution.sh $(BIN)/python $(DISTRIBUTION_PYTHON) -m pytest -n 2 --dist loadfile $(GUARD) $(BOX_TESTS) $(ARGS)

test-field: setup ## a box's and a server's life on a bare Debian in a container (root, debootstrap, systemd-container)
	@mkdir -p build
	@rm -f build/field.log
	HAILONG_FIELD_LOG=$(CURDIR)/build/field.log $(BIN)/python -m pytest -m field -n 2 --dist loadfile --durations=0 tests/field $(ARGS); \
	  rc=$$?; cat build/field.log; exit $$rc

test-spark: $(STAMP) ## the scoring sums on Apache Spark in local mode (needs Java 17)
	@java -version 2>&1 | grep -q '"1[79]\|"2' || { echo "make test-spark needs Java 17 or newer: apt install openjdk-17-jre-headless"; exit 1; }
	$(PYTHON) -m venv .venv-spark
	.venv-spark/bin/python -m pip install --quiet --require-hashes -r requirements/spark.lock
	.venv-spark/bin/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	.venv-spark/bin/python -m pytest -m spark tests/server/scores/test_spark.py -s

check: lint types imports check-docs ## ruff, mypy --strict, import-linter, the docs test

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP)
	$(BIN)/mypy

imports: $(STAMP)
	$(BIN)/lint-imports

check-docs: $(STAMP)
	$(BIN)/python -m pytest -q tests/docs

messages: $(STAMP) ## every sentence into the catalogues of languages (pipeline/language/*.po)
	$(BIN)/python -m pipeline.language.update

format: $(STAMP) ## format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock: ## write the lock files anew from pyproject.toml (needs uv)
	sh requirements/lock.sh

sbom: $(STAMP) ## bills of materials of the lock files (build/*.cdx.json, CycloneDX); AUDIT=address of an index: asks it for vulnerabilities
	@mkdir -p build
	@for lock in server edge edge-asr; do $(BIN)/python requirements/sbom.py requirements/$$lock.lock > build/$$lock.cdx.json || exit 1; done
	@ls build/*.cdx.json
	@if [ -n "$(AUDIT)" ]; then for lock in server edge edge-asr; do $(BIN)/python requirements/sbom.py requirements/$$lock.lock --audit $(AUDIT) || exit; done; fi

clean: ## remove what was built here (not the weights' cache)
	rm -rf $(VENV) .venv-spark build *.egg-info .mypy_cache .ruff_cache .pytest_cache
