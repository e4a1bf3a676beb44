# Two commands for newcomers: `make demo` and `make test`. Both make .venv on first use.
PYTHON ?= python3
VENV ?= .venv
# Where torch comes from: empty takes pip's default. For a CPU-only or CUDA build give the index that
# pytorch.org's installation page names, as in `make demo TORCH_INDEX=URL`.
TORCH_INDEX ?=
PYTEST_WORKERS ?= 2

BIN := $(VENV)/bin
READY := $(VENV)/.ready
export OMP_NUM_THREADS ?= 1

.PHONY: demo test test-long crash-points fuzz lint format schema clean

demo: $(READY)
	$(BIN)/labpilot demo

test: $(READY)
	$(BIN)/python -m pytest -n $(PYTEST_WORKERS)

# the long forms of the kill, fuzz and soak tests
test-long: $(READY)
	$(BIN)/python -m pytest -n $(PYTEST_WORKERS) -m "slow or not slow"

# a kill at every journal write, file and exchange of one sample's life, resumed each time; an hour or so
crash-points: $(READY)
	$(BIN)/python benchmarks/crash_points.py

# random commands under storms of faults, on every instrument in the box
fuzz: $(READY)
	$(BIN)/python -m simulators.conformance.fuzz --exchanges 100000

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/pyright --pythonpath $(BIN)/python

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

schema: $(READY)
	$(BIN)/python -m orchestrator.schema

clean:
	rm -rf $(VENV) build *.egg-info

# pydantic-numpy, which ophyd-async asks for, forbids the ruamel.yaml that reads our files and works with it all the same:
# hence the last line
$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet -c constraints.txt $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) torch
	$(BIN)/python -m pip install --quiet -c constraints.txt -e ".[dev]"
	$(BIN)/python -m pip install --quiet --no-deps -c constraints.txt ophyd-async pydantic-numpy
	touch $@
