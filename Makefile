# make bench [PRESET=quick|default|full] [ARGS="--models unet …"]   certify, time, write the report
# make lesson                                                     static and dynamic graphs, measured; at most 10 minutes
# make test                                                       all tests, ruff and mypy
# Both set up .venv first, once per change of pyproject.toml or constraints.txt.

PYTHON ?= python3
PRESET ?= default
ARGS ?=
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: bench lesson test check clean

bench: $(STAMP)
	$(BIN)/python -m pytest --benchmark --preset $(PRESET) $(ARGS)

lesson: PRESET = lesson
lesson: bench

test: $(STAMP)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/python -m pytest -n auto --dist worksteal $(ARGS)

check: $(STAMP)
	$(BIN)/python -m harness check $(ARGS)

# Read the version first: pip would take minutes to find out that no wheel fits an old Python.
$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(None if v >= (3, 11) else f"Python 3.11 or newer is needed, this is {v.major}.{v.minor}; try: make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[all,test]'
	touch $@

clean:
	rm -rf $(VENV)
