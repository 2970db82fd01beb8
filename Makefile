# Two commands for a newcomer: `make demo` and `make test`. Both set everything up first.
# Needs Python 3.11 with venv (Debian: python3.11-venv), under the name python3.11 or python3;
# `make demo PYTHON=/path/to/python` takes another one.
IS_311 := import sys, ensurepip, venv; sys.exit(sys.version_info[:2] != (3, 11))
PYTHON ?= $(shell for p in python3.11 python3 python; do \
	$$p -c '$(IS_311)' 2>/dev/null && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PIP := $(BIN)/python -m pip --disable-pip-version-check
# Where pip looks for torch besides its usual index; give the address of the CPU builds where
# that index serves CUDA builds (gigabytes more; right for a machine with an NVIDIA GPU)
TORCH_INDEX ?=
# Two test processes where there are two cores; each has its own kernel cache (tests/conftest.py)
WORKERS ?= $(shell test "$$(nproc 2>/dev/null || echo 1)" -ge 2 && echo 2 || echo 0)

.PHONY: demo test lint lean clean
demo: $(READY)
	$(BIN)/ffr demo --out demo

test: $(READY)
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# For CI: no dependency may pull in CUDA libraries or torchvision, which swap the CPU torch
lean: $(READY)
	@heavy=$$($(PIP) list --format=freeze | grep -iE '^(nvidia-|cuda-|triton|torchvision)'); \
	if test -n "$$heavy"; then echo "make: not lean:" $$heavy >&2; exit 2; fi

# Exactly the locked packages (--no-deps), torch last: nothing that follows can replace it.
# `pip check` fails if the lock misses something.
$(READY): pyproject.toml requirements.lock requirements-torch.lock
	@test -n "$(PYTHON)" && $(PYTHON) -c '$(IS_311)' 2>/dev/null || { echo \
	"make: no Python 3.11 with venv; apt-get install python3.11-venv, or give PYTHON=" >&2; exit 2; }
	@$(BIN)/python -c '$(IS_311)' 2>/dev/null && $(PIP) --version >/dev/null 2>&1 || \
	{ rm -rf $(VENV) && $(PYTHON) -m venv $(VENV); }
	@echo "make: installing the locked libraries into $(VENV)"
	@$(PIP) install --quiet --no-deps --requirement requirements.lock
	@$(PIP) install --quiet --constraint requirements.lock \
	$(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX)) --requirement requirements-torch.lock
	@$(PIP) install --quiet --no-deps --no-build-isolation --editable .
	@$(PIP) check
	@echo "make: compiling the flow solvers"
	@$(BIN)/python -m ffr.first_run 2>/dev/null || echo "make: they compile at the first solve"
	@touch $(READY)

clean:
	rm -rf $(VENV) demo
