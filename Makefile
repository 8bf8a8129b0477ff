# Needs Python >= 3.11 and make; everything else comes from here.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_CONSTRAINT := $(CURDIR)/constraints.txt

.PHONY: quickstart install install-dev engines test test-fast check format bench clean

$(VENV)/.local: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "bandari needs Python >= 3.11; set PYTHON=python3.x")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q -e '.[local]'
	@touch $@

$(VENV)/.dev: $(VENV)/.local
	$(BIN)/python -m pip install -q -e '.[dev]'
	@touch $@

$(VENV)/.bench: $(VENV)/.dev
	$(BIN)/python -m pip install -q -e '.[bench]'
	@touch $@

install: $(VENV)/.local
install-dev: $(VENV)/.dev

quickstart: $(VENV)/.local
	@PATH="$(CURDIR)/$(BIN):$$PATH" tools/quickstart.sh

ENGINES := prometheus buildah podman runc docker-registry debootstrap iptables
PACKAGES := $(ENGINES) netavark aardvark-dns golang-github-containers-common
# Engines of other projects that some tests start. Missing ones are a skip that names them, and a failure where CI is set.
engines:
	@for engine in $(ENGINES); do command -v $$engine > /dev/null || { tools/engines.sh $(PACKAGES); break; }; done

test: $(VENV)/.dev engines
	$(BIN)/python -m pytest

test-fast: $(VENV)/.dev
	$(BIN)/python -m pytest -m 'not engine and not slow'

check: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(VENV)/.bench
	$(BIN)/python benchmarks/run.py

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
