# Two commands: `make demo` runs the main job, `make test` the tests. Each installs what it needs.
NEEDS := import sys, venv, ensurepip; sys.exit(not (3, 10) <= sys.version_info < (3, 15))
PYTHON ?= $(shell for each in python3 python3.14 python3.13 python3.12 python3.11 python3.10; do \
    $$each -c "$(NEEDS)" 2>/dev/null && echo $$each && break; done)
# Torch first: asked for by its exact version, a CPU build that is at hand is taken and no
# CUDA libraries are pulled. docs/installation.md, "Another build of torch", says how to choose.
TORCH ?= torch==2.13.0
VENV ?= .venv
BIN := $(VENV)/bin
export PIP_DISABLE_PIP_VERSION_CHECK = 1

.PHONY: demo test lint docs clean
demo: $(VENV)/.installed
	$(BIN)/recbole-delta demo

# Processes of one thread each: threads that wait for each other are slower than one. Four at most,
# for each takes a gigabyte and trains again what more than one test needs.
test: $(VENV)/.installed-test
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n logical --maxprocesses 4 --dist worksteal

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy recbole_delta recbole_delta_command dataset_prep
	$(BIN)/lint-imports

# A broken link or a name that is not there ends it.
docs: $(VENV)/.installed-docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

# What is missing is said before anything is installed.
$(VENV)/.torch:
	@$(or $(PYTHON),false) -c "$(NEEDS)" || { echo "error: this needs Python 3.10, 3.11, 3.12, 3.13 or 3.14" \
	    "with venv (on Debian: apt install python3-venv); name one: make PYTHON=..."; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install $(TORCH)
	touch $@

$(VENV)/.installed: $(VENV)/.torch setup.cfg constraints.txt
	$(BIN)/pip install -c constraints.txt -e .
# RecBole asks for a ray that Python 3.12 and later have no wheel of, and needs it for nothing here.
	$(BIN)/pip install --no-deps recbole==1.2.1
	touch $@

$(VENV)/.installed-%: $(VENV)/.installed
	$(BIN)/pip install -c constraints.txt -e '.[$*]'
	touch $@

clean:
	rm -rf $(VENV) demo log log_tensorboard saved site
