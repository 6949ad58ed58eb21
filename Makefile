# Every habit of this house. `make help` lists them.
PORT ?= 8000
DATA ?= ./data
PYTHON ?= python3
MINUTES ?= 30
BIN := .venv/bin

.PHONY: help install run check test test-postgres test-clickhouse soak bench docs fmt messages
.DEFAULT_GOAL := help

help:  ## list these habits
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

.venv/run.done: requirements/run.lock pyproject.toml
	@sh tools/install.sh "$(PYTHON)" run

.venv/dev.done: requirements/dev.lock pyproject.toml
	@sh tools/install.sh "$(PYTHON)" dev

install: .venv/dev.done  ## make .venv with the yutang command and what tests need

run: .venv/run.done  ## start the demo pond; PORT=8000 DATA=./data
	@YUTANG_DATA="$(DATA)" exec $(BIN)/yutang up --port $(PORT) --with-demo

check: install  ## ruff, mypy --strict, import-linter, house lints
	$(BIN)/ruff check src tests
	$(BIN)/ruff format --check src tests
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python tests/house/lints.py

test: install  ## the suite, within 5 minutes on 2 cores (what is marked long: make soak)
	$(BIN)/python -m pytest -n 3 -m "not long"

test-postgres: install  ## what touches the operational store once more, on a PostgreSQL of its own
	$(BIN)/python -m tests.postgres -n 3

test-clickhouse: install  ## what asks the warehouse once more, on ClickHouse's engine in the tests' process
	$(BIN)/python -m tests.on_clickhouse -n 3

soak: install  ## kill, race and fill for MINUTES=30
	$(BIN)/python -m tests.soak --minutes $(MINUTES)

bench: install  ## figures beside their baselines
	$(BIN)/python -m tests.bench

docs: install  ## write docs/reference and docs/wecom-calls.md from the code
	$(BIN)/yutang reference docs/reference
	$(BIN)/python -m tests.channels.wecom.coverage

fmt: install  ## format
	$(BIN)/ruff format src tests
	$(BIN)/ruff check --fix src tests

messages: install  ## compile the English catalogue
	$(BIN)/python tools/messages.py
