# The two commands of the README are `make demo` and `make test`; each sets up all that it needs.
# Set-up and progress go to stderr, so that `make -s demo ARGS=--json` prints one JSON document.

VENV   ?= .venv
PYTHON ?= python3
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
ARGS   ?=

# Byte code is kept even where the environment says no: the tests start many a `meterbridge`, each compiled all of it.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: setup demo test lint programs bench soak clean
.DEFAULT_GOAL := setup

setup: $(READY)

$(READY): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' >&2 || { \
	    echo "meterbridge needs Python 3.11 or newer; PYTHON=python3.12 make … names another one" >&2; exit 2; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	    echo "python3-venv is missing: sudo apt-get install -y python3-venv" >&2; exit 2; }
	@echo "setting up $(VENV) (once, about a minute)" >&2
	@$(PYTHON) -m venv $(VENV) >&2
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[sim,provision,dev]' >&2
	@touch $@

demo: $(READY)
	@$(BIN)/meterbridge demo $(ARGS)

lint: $(READY)
	@$(BIN)/ruff format --check . >&2
	@$(BIN)/ruff check . >&2
	@$(BIN)/mypy >&2
	@$(BIN)/lint-imports >&2

test: lint
	@$(BIN)/python -m pytest -n auto --dist worksteal $(ARGS)

programs: $(READY)
	@$(BIN)/python -m toolchain $(if $(CRATE),--crate $(CRATE)) $(if $(WRITE),--write) $(if $(KEYS),--keys $(KEYS)) $(if $(OUT),--out $(OUT)) $(ARGS)

bench: $(READY)
	@PYTHONPATH=firmware $(BIN)/python -m tests.bench $(if $(ONLY),--only $(ONLY)) $(if $(WRITE),--write) $(ARGS)

soak: $(READY)
	@$(BIN)/python -m pytest -m soak $(ARGS)

clean:
	rm -rf build dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
