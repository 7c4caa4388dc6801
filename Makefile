# make demo starts the app, make test and make test-slow check it. All build their own environment in .venv first.

PYTHON ?= python3.11
VENV ?= .venv
TENSORFLOW_VENV ?= .venv-tensorflow
DATA ?= $(DATA2VEC_DATA)
MINUTES ?= 5
ONLY ?=
BIN := $(VENV)/bin

# Stamps: an environment is brought up to date only when what it was made from has changed.
APP := $(VENV)/.installed-app
DEV := $(VENV)/.installed-dev
TENSORFLOW := $(TENSORFLOW_VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help demo test test-slow test-tensorflow lint types notebooks screenshots evaluate readme soak bench clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 17

demo: $(APP) ## install what the app needs and start it
	$(BIN)/python app.py

test: lint types ## lint, types, then the tests, a visit in a browser included
	$(BIN)/python -m pytest -m "not slow"

test-slow: $(DEV) ## the tests that take long: every tab in a browser, models of base size, training by command
	$(BIN)/python -m pytest -m slow

# An environment of its own: the other tests are to see an app without the extra, as most people have it.
test-tensorflow: $(TENSORFLOW) ## the tests of the TensorFlow classes, in an environment with that extra
	$(TENSORFLOW_VENV)/bin/python -m pytest tests/tensorflow

lint: $(DEV) ## style and formatting
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(DEV) ## static types
	$(BIN)/mypy

notebooks: $(DEV) ## run the notebooks of docs/notebooks anew, and keep what they show
	$(BIN)/jupyter execute --inplace docs/notebooks/*.ipynb

screenshots: $(DEV) ## photograph every tab (desktop, phone, dark, Chinese) into the folder screenshots
	$(BIN)/python -m tests.e2e.screenshots

evaluate: $(APP) ## score the bundled models: make evaluate DATA=folder-with-the-data-packs
	@test -n "$(DATA)" || { echo "Say where the data packs are: make evaluate DATA=folder" >&2; exit 2; }
	$(BIN)/python -m recipes.evaluate --data "$(DATA)"

readme: $(APP) ## write the tables of README.md and README.zh-CN.md anew from the models' cards
	$(BIN)/python -m recipes.readme

soak: $(APP) ## eight visitors at once for five minutes: no error, and memory that stays: make soak MINUTES=5
	$(BIN)/python -m benchmarks.soak --minutes $(MINUTES)

bench: $(DEV) ## measure speed against the reference and write benchmarks/RESULTS.md: make bench ONLY="forward app" DATA=folder
	$(BIN)/python -m benchmarks $(ONLY) $(if $(DATA),--data "$(DATA)")

clean: ## remove the environment, caches and build leftovers
	rm -rf $(VENV) $(TENSORFLOW_VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(APP): requirements.txt | $(BIN)/python
	$(BIN)/python -m pip install --requirement requirements.txt
	touch $@

$(TENSORFLOW): requirements.txt requirements-tensorflow.txt pyproject.toml
	test -x $(TENSORFLOW_VENV)/bin/python || $(PYTHON) -m venv $(TENSORFLOW_VENV)
	$(TENSORFLOW_VENV)/bin/python -m pip install --requirement requirements-tensorflow.txt --editable .[test]
	touch $@

$(DEV): requirements-dev.txt pyproject.toml $(APP)
	$(BIN)/python -m pip install --requirement requirements-dev.txt
	touch $@
