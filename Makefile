# `make demo` and `make test` need python3 (3.11 or later, with venv) and nothing else.
# Another interpreter or place: make demo PYTHON=python3.12 VENV=/tmp/venv DEMO=/tmp/demo

PYTHON ?= python3
VENV ?= .venv
DEMO ?= demo
BIN := $(VENV)/bin

.PHONY: help install demo test interop check format docs clean

help:  ## Show this list
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 20

install: $(VENV)/installed  ## Make the virtual environment with everything that demo and test need

$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet -e '.[train,demo,dask,dev]' -c constraints.txt
	touch $@

demo: install  ## From real photographs to a restored picture, in about a minute
	$(BIN)/dunhuang-data demo -o $(DEMO) --overwrite

test: install  ## The whole test suite, by two processes (make test TESTS="-k walks" for some)
	$(BIN)/python -m pytest -n 2 --dist worksteal $(TESTS)

interop: install  ## Exports and datasets read by other projects' own readers (1 GB of packages)
	$(BIN)/python -m pip install --quiet -e '.[interop]' -c constraints.txt
	$(BIN)/python -m pytest tests/interop

check: install  ## Linter, formatter, types, import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

format: install  ## Put the code in its usual form
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: install  ## Build the pages into docs/_build/html, warnings being errors
	$(BIN)/python -m pip install --quiet -e '.[docs]' -c constraints.txt
	$(BIN)/sphinx-build -W --keep-going -q -b html docs docs/_build/html

clean:  ## Remove what make made
	rm -rf $(VENV) $(DEMO) docs/_build build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
