# Every target sets up what it needs by itself: Python 3.11+ and make are enough (see .ci/setup).
# Values can be given: make demo ARCHIVE=pictures   make test ARGS="-k gates"   make test PYTHON=python3.12

ARCHIVE ?= archive
SERIES ?= first-light
CELLS ?= 60
JOBS ?= 2
ARGS ?=

BIN := .venv/bin
MODELS := .venv-models/bin
GEN_EMERGE = $(BIN)/gen-emerge --root . --archive "$(ARCHIVE)"
REPORT = $(ARCHIVE)/$(SERIES)
ONE_THREAD = OMP_NUM_THREADS=1 NUMBA_NUM_THREADS=1
PYTEST = $(ONE_THREAD) $(BIN)/python -m pytest -n $(JOBS) --dist worksteal

# The environment that is active outside does not matter here.
unexport VIRTUAL_ENV
unexport PYTHONPATH
unexport PYTHONHOME

.DEFAULT_GOAL := help
.PHONY: help demo test test-models fast lint format types contracts check bench clean setup setup-models

help:  ## list the targets
	@echo "make demo       run experiments/series/first-light.toml and write its map and report (about two minutes)"
	@echo "make test       all tests; ARGS is handed to pytest"
	@echo "make test-models  the tests of the diffusion profile, in an environment with the model libraries"
	@echo "make fast       the tests that take no more than a few seconds each"
	@echo "make lint       ruff: rules and formatting"
	@echo "make format     let ruff put both right"
	@echo "make types      pyright, strict, on the package"
	@echo "make contracts  which part of the package may import which"
	@echo "make check      test, test-models, lint, types and contracts"
	@echo "make bench      the measurements in experiments/bench"
	@echo "make clean      remove caches and environments; series in archive/ stay"

demo:  ## a whole series, from prompt to map
	@.ci/setup core
	$(GEN_EMERGE) run $(SERIES)
	@$(GEN_EMERGE) --json status $(SERIES) | $(BIN)/python .ci/check_demo.py --cells $(CELLS)
	@$(GEN_EMERGE) inspect $(SERIES) --html "$(REPORT)/report.html" --png "$(REPORT)/map.png" >/dev/null
	@test -s "$(REPORT)/report.html" && test -s "$(REPORT)/map.png"
	@echo
	@echo "map:    $(abspath $(REPORT))/map.png"
	@echo "images: $(abspath $(REPORT))/images"
	@echo "report: $(abspath $(REPORT))/report.html"
	@echo
	@echo "For this terminal, so that it finds gen-emerge:"
	@echo "    export PATH=\"$(abspath $(BIN)):\$$PATH\""
	@echo "    gen-emerge judge $(SERIES)"

setup:  ## the development environment in .venv
	@.ci/setup dev

test: setup  ## pytest; one thread a process, because threads of several workers slow each other down
	$(PYTEST) $(ARGS)

setup-models:  ## the same with the model libraries, in .venv-models
	@.ci/setup models

test-models: setup-models  ## tiny checkpoints through the real libraries; a file of tests to a worker, which shares what it made
	$(ONE_THREAD) HF_HUB_OFFLINE=1 GEN_EMERGE_LIBRARIES=required $(MODELS)/python -m pytest -m models -n $(JOBS) --dist loadfile $(ARGS)

fast: setup
	$(PYTEST) -m "not slow" $(ARGS)

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: setup-models  ## where torch and the others are, so that what the code asks of them is checked too
	PYRIGHT_PYTHON_IGNORE_WARNINGS=1 $(MODELS)/pyright --pythonpath $(MODELS)/python

contracts: setup
	$(BIN)/lint-imports

check: test test-models lint types contracts

bench: setup  ## every experiments/bench/*.py, one after the other
	@set -e; for script in experiments/bench/[a-z]*.py; do \
		test -e "$$script" || { echo "no measurements yet"; break; }; \
		echo "== $$script"; OMP_NUM_THREADS=1 $(BIN)/python "$$script" $(ARGS) || test $$? -eq 2; \
	done

clean:  ## the archive is somebody's work: it stays
	rm -rf .venv .venv-models .uv build dist .pytest_cache .ruff_cache .import_linter_cache
	find . -name __pycache__ -type d -not -path './archive/*' -prune -exec rm -rf {} +
