# `make demo` and `make test` install what they need first: scripts/setup.
PYTHON := .venv/bin/python
TESTS := $(wildcard tests/pure tests/hub) $(wildcard tests/edges) $(wildcard tests/journeys)
LAB := $(or $(TMPDIR),/tmp)/crossdock-lab-$(shell id -un)

.DEFAULT_GOAL := help
.PHONY: help setup demo test lint bench bench-move bench-files bench-replay bench-rewrite bench-assess bench-backup bench-pictures bench-report soak lock clean

help:
	@echo 'make demo        start the lab, move its stores, prove the result'
	@echo 'make test        lint, types, then all tests, fast ones first'
	@echo 'make lint        ruff and mypy only'
	@echo 'make bench       every benchmark, each beside its peers; one alone: make bench-move, bench-files,'
	@echo '                 bench-replay, bench-rewrite, bench-assess, bench-backup, bench-pictures, bench-report'
	@echo 'make soak        long campaigns: kills, faults, load'
	@echo 'make setup       install what is missing; make clean: remove what was made here'

setup:
	@scripts/setup

demo: setup
	@.venv/bin/crossdock demo

lint: setup
	@$(PYTHON) -m ruff check .
	@$(PYTHON) -m mypy --strict

test: lint
	@$(PYTHON) -m pytest -m 'not soak' -n 2 --dist loadfile --durations 25 $(TESTS)

bench: bench-move bench-files bench-replay bench-rewrite bench-assess bench-backup bench-pictures bench-report

bench-move: setup
	@$(PYTHON) bench/move.py

bench-files: setup
	@$(PYTHON) bench/files.py

bench-replay: setup
	@$(PYTHON) bench/replay.py

bench-rewrite: setup
	@$(PYTHON) bench/rewrite.py

bench-assess bench-backup bench-pictures bench-report: setup
	@$(PYTHON) bench/$(@:bench-%=%).py

soak: setup
	@$(PYTHON) -m pytest -m soak --timeout 0 tests

lock:
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
	  --extra dev --quiet -o requirements.lock pyproject.toml

clean:
	@if ps -eo args | grep -F "$(LAB)/" | grep -vq grep; then \
	  echo 'A lab is running in $(LAB). Way out: stop it first (crossdock lab --help)'; exit 1; fi
	@rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist demo crossdock.egg-info "$(LAB)"
	@rm -f crossdock/*/*.so $(patsubst %.pyx,%.c,$(wildcard crossdock/*/*.pyx))
	@find crossdock tests bench -name __pycache__ -prune -exec rm -rf {} + 2>/dev/null || true
