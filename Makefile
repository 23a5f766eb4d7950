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

bench: setup tools .venv-peers/.ready ## us and the peers, side by side (see bench/README.md)
	python bench/run.py

.venv-peers/.ready: requirements/peers.txt requirements/reference.txt
	$(PYTHON) -m venv .venv-peers
	.venv-peers/bin/pip install --quiet --require-hashes -r requirements/peers.txt
	.venv-peers/bin/pip install --quiet --require-hashes --no-deps -r requirements/reference.txt
	touch $@

LOCK := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate \
	--custom-compile-command "make lock"

lock: setup ## requirements/*.txt from pyproject.toml: hashes, no hosts
	$(BIN)/pip install --quiet uv
	$(LOCK) pyproject.toml --extra dev -o requirements/dev.txt
	$(LOCK) pyproject.toml --extra worker-cpu --extra int8 --extra cli -c requirements/dev.txt -o requirements/worker-cpu.txt
	$(LOCK) requirements/peers.in -o requirements/peers.txt
	echo "paddleclas==2.6.0" | $(LOCK) - --no-deps -o requirements/reference.txt

clean: ## forget .venv and .cache
	rm -rf $(VENV) .cache
