# Each target installs what it needs; second runs reuse what is there.
PYTHON ?= python3
PRESET ?= tiny
BIN := .venv/bin
INSTALL := @$(PYTHON) infra/local/install.py

.PHONY: install demo test lint habitat cloud bench lock

install:  ## .venv with the locked versions
	$(INSTALL)

demo:  ## One night on this machine: collect, check, train, evaluate, promote
	$(INSTALL) mesa
	@$(BIN)/backsight demo --preset $(PRESET) $(if $(SEED),--seed $(SEED))

test:  ## All tests
	$(INSTALL) mesa chromium habitat
	@$(BIN)/pytest -n 2

lint:  ## Style, types, who may import whom, and the cluster's manifests
	$(INSTALL)
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python -m infra.policy

habitat:  ## habitat-lab into .venv, for closed-loop navigation (docs/navigation.md)
	$(INSTALL) mesa habitat

cloud:  ## The cloud's files applied and destroyed, twice, against an emulator of AWS
	$(INSTALL)
	@$(BIN)/python -m tests.infra.terraform.trial

bench:  ## What is measured; without chaos, which takes hours
	$(INSTALL) mesa
	@for file in tests/benchmarks/[a-z]*.py; do \
	    name=$$(basename $$file .py); [ $$name != chaos ] || continue; echo "== $$name"; $(BIN)/backsight bench $$name || exit 1; \
	done

lock:  ## requirements.lock anew from pyproject.toml; torch and its CUDA parts depend on the machine and stay out
	$(INSTALL)
	@$(BIN)/uv pip compile pyproject.toml --group dev --universal --python-version 3.11 \
	    --no-annotate --no-header --quiet --output-file requirements.lock
	@sed -E '/^(torch|triton)==|^(nvidia|cuda)-/d' requirements.lock > requirements.lock.new
	@mv requirements.lock.new requirements.lock
