# Thin: every target says what it runs. PYTHON makes the virtual environment, ARGS go to the command.
#   make serve ARGS="--memory --port 0"        make test ARGS="tests/wire -x"

PYTHON ?= python3
ARGS ?=
BIN := .venv/bin

.PHONY: help serve test lint bench docs clean

help:
	@echo "make serve   install into .venv and serve on 127.0.0.1:11112"
	@echo "make test    install the test extras and run the whole suite"
	@echo "make lint    ruff check, ruff format --check, mypy"
	@echo "make bench   measure side by side with the installed peers; writes bench/results.md"
	@echo "make docs    renew what documents generate from the code"
	@echo "make clean   remove .venv and caches; the storage folder stays"

# Installed editable: a change of the code needs no new install, a change of pyproject.toml does.
.venv/serve: pyproject.toml
	@echo "$(PYTHON) -m venv .venv && pip install -e ."
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

.venv/test: .venv/serve
	@echo "pip install -e .[test]"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[test]"
	@touch $@

serve: .venv/serve
	$(BIN)/mockpacs serve $(ARGS)

test: .venv/test
	$(BIN)/python -m pytest $(ARGS)

lint: .venv/test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: .venv/test
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[bench]"
	$(BIN)/python -m bench $(ARGS)

docs: .venv/serve
	$(BIN)/python -m mockpacs.config.reference docs/configuration.md
	$(BIN)/python -m mockpacs.scenario.reference docs/scenario-reference.md
	$(BIN)/python -m mockpacs.scenario.schema mockpacs/scenario/schema.json

clean:
	rm -rf .venv build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
