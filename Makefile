# make run · make test · make check · make bench · make peer
PYTHON ?= python3
BIN := .venv/bin

.PHONY: run test check format specs bench peer

run: .venv/.server
	$(BIN)/undertone serve

test: .venv/.dev
	$(BIN)/pytest

check: .venv/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: .venv/.dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# docs/openapi.json and docs/asyncapi.json, from the code
specs: .venv/.dev
	$(BIN)/python -m undertone_service.documents docs

# any recording of speech; its silences are left out
SPEECH ?= ../shared/data/conversations/sample.flac

bench: .venv/.server
	$(BIN)/undertone bench --engine --speech $(SPEECH)

# an environment with the pretrained resemblyzer, for `undertone compare` and `undertone teach`: it brings the plain
# webrtcvad, which clashes with ours and needs the pkg_resources that later setuptools lack
PEER := .venv-peer/bin

peer: .venv-peer/.installed

.venv-peer/.installed:
	$(PYTHON) -m venv .venv-peer
	$(PEER)/python -m pip install --quiet torch==2.13.0 resemblyzer "setuptools<81"
	touch $@

$(BIN)/python:
	$(PYTHON) -m venv .venv

.venv/.server: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet -e '.[server]'
	touch $@

.venv/.dev: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet -e '.[dev]'
	touch $@
