# Two commands: `make demo` runs the main job, `make test` the tests. Each installs what it needs.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
# Torch first: asked for by its exact version, a CPU build that is at hand is taken and no
# CUDA libraries are pulled. README, "Another build of torch", says how to choose.
TORCH ?= torch==2.13.0
VENV ?= .venv
BIN := $(VENV)/bin
export PIP_DISABLE_PIP_VERSION_CHECK = 1

.PHONY: demo test lint clean
demo: $(VENV)/.installed
	$(BIN)/recbole-delta demo

# Two processes of one thread each: two threads that wait for each other are slower than one.
test: $(VENV)/.installed-test
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy recbole_delta dataset_prep
	$(BIN)/lint-imports

$(VENV)/.torch:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install $(TORCH)
	touch $@

$(VENV)/.installed: $(VENV)/.torch setup.cfg constraints.txt
	$(BIN)/pip install -c constraints.txt -e .
	touch $@

$(VENV)/.installed-%: $(VENV)/.installed
	$(BIN)/pip install -c constraints.txt -e '.[$*]'
	touch $@

clean:
	rm -rf $(VENV) demo log log_tensorboard saved
