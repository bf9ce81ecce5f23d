# make bench [PRESET=quick|default|full] [ARGS="--models unet …"]   certify, time, write the report
# make bench DEVICE=gpu                                           the same on a GPU (gpu:1: on another one)
# make lesson [DEVICE=gpu]                                        static and dynamic graphs, measured; at most 10 minutes
# make notebook                                                   the lesson as notebooks/lesson.ipynb, not yet run
# make test                                                       all tests, ruff and mypy
# make envs DEVICE=gpu|cpu                                        an environment for each framework
# All set up what they need first, once per change of pyproject.toml or of the constraints: .venv for all frameworks
# together or, if a DEVICE is given, one environment for each, since no single one can hold all of them on a GPU.

PYTHON ?= python3
PRESET ?= default
DEVICE ?=
ARGS ?=
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

KIND := $(firstword $(subst :, ,$(or $(DEVICE),cpu)))
GPU := $(if $(filter gpu,$(KIND)),-gpu)
ENVS := .venvs/$(KIND)
ENV_STAMPS := $(patsubst %,$(ENVS)/%/.installed,tf torch jax)
TF := $(ENVS)/tf/bin/python
TORCH := $(ENVS)/torch/bin/python
JAX := $(ENVS)/jax/bin/python

ifdef DEVICE
# Any of them can start the run: the project is installed in each.
RUN_STAMPS := $(ENV_STAMPS)
RUN := $(JAX) -m pytest --benchmark --device $(DEVICE) --python \
	tf=$(TF),keras=$(TF),torch=$(TORCH),keras-torch=$(TORCH),jax=$(JAX),keras-jax=$(JAX)
else
RUN_STAMPS := $(STAMP)
RUN := $(BIN)/python -m pytest --benchmark
endif

# Read the version first: pip would take minutes to find out that no wheel fits an old Python.
define MAKE_ENVIRONMENT
$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(None if v >= (3, 11) else f"Python 3.11 or newer is needed, this is {v.major}.{v.minor}; try: make PYTHON=python3.12")'
$(PYTHON) -m venv $(@D)
endef
INSTALL = $(@D)/bin/python -m pip install --quiet --constraint

.PHONY: bench lesson notebook test check envs clean

bench: $(RUN_STAMPS)
	$(RUN) --preset $(PRESET) $(ARGS)

lesson: PRESET = lesson
lesson: bench

notebook: notebooks/lesson.ipynb

# Only when the source is newer: what somebody has changed or run in the notebook is lost then.
notebooks/lesson.ipynb: notebooks/lesson.py | $(STAMP)
	$(BIN)/jupytext --quiet --to ipynb $<

test: $(STAMP)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/python -m pytest -n auto --dist worksteal $(ARGS)

check: $(STAMP)
	$(BIN)/python -m harness check $(ARGS)

envs: $(ENV_STAMPS)

$(STAMP): pyproject.toml constraints.txt
	$(MAKE_ENVIRONMENT)
	$(INSTALL) constraints.txt --editable '.[all,test]'
	touch $@

$(ENVS)/%/.installed: pyproject.toml constraints.txt constraints-gpu.txt
	$(if $(filter cpu gpu,$(KIND)),,$(error DEVICE=$(DEVICE): give cpu or gpu))
	$(MAKE_ENVIRONMENT)
	$(INSTALL) constraints$(GPU).txt --editable '.[$*$(GPU),keras]'
	touch $@

clean:
	rm -rf $(VENV) .venvs
