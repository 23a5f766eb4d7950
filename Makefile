# One command a purpose, the same for a person and in CI. Everything made lands in .venv and .cache.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
TOOLS  := .cache/tools
export PATH := $(CURDIR)/$(BIN):$(CURDIR)/$(TOOLS):$(PATH)

.PHONY: help setup tools demo test test-fast lint format bench lock clean

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

setup: $(VENV)/.ready ## .venv with everything locked, by hash

$(VENV)/.ready: requirements/dev.txt requirements/reference.txt pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --require-hashes -r requirements/dev.txt
	$(BIN)/pip install --quiet --require-hashes --no-deps -r requirements/reference.txt
	$(BIN)/pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@

tools: $(TOOLS)/versitygw $(TOOLS)/crdcheck ## the S3 server and Kubernetes' validation for the tests, built from Go modules

$(TOOLS)/versitygw: tests/tools/go.mod tests/tools/go.sum
	cd tests/tools && CGO_ENABLED=0 go build -trimpath -ldflags "-s -w" -o $(CURDIR)/$@ github.com/versity/versitygw/cmd/versitygw

$(TOOLS)/crdcheck: $(wildcard tests/tools/crdcheck/*)
	cd tests/tools/crdcheck && CGO_ENABLED=0 go build -trimpath -ldflags "-s -w" -o $(CURDIR)/$@ .

demo: setup ## the main job on real photographs: pictures in, Parquet out
	python examples/demo.py

test: setup tools ## every test
	pytest

test-fast: setup ## the pure ones, below 30 seconds
	pytest tests/unit

lint: setup ## style, types, layers
	ruff check .
	ruff format --check .
	mypy
	lint-imports

format: setup ## write the style
	ruff check --fix .
	ruff format .

bench: setup tools ## us and the peers, side by side (see bench/README.md)
	python bench/run.py

lock: setup ## requirements/*.txt from pyproject.toml: hashes, no hosts
	$(BIN)/pip install --quiet uv
	for extra in dev worker-cpu; do \
	  uv pip compile --quiet pyproject.toml --extra $$extra $$( [ $$extra = dev ] || echo --extra int8 --extra cli ) \
	    --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate \
	    --custom-compile-command "make lock" -o requirements/$$extra.txt; \
	done

clean: ## forget .venv and .cache
	rm -rf $(VENV) .cache
