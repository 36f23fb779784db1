# Everything sets itself up: `make run` shows the main job, `make test` proves it. Needs Python 3.11 or newer, and make.

PYTHON ?= $(firstword $(foreach p,python3.13 python3.12 python3.11 python3,$(shell \
	$(p) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && command -v $(p))))
BIN := .venv/bin
READY := .venv/ready

.DEFAULT_GOAL := help
.PHONY: help setup run test check format lock clean

help: ## what can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

setup: $(READY) ## install everything into .venv, and fetch Kafka and PostgreSQL

$(READY): requirements/development.txt requirements/install.py pyproject.toml worker/embedded/kafka_jars.lock
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed; say which with: make setup PYTHON=/path/to/python3" >&2; exit 1; }
	@echo "==> virtual environment in .venv ($$($(PYTHON) --version))"
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "==> dependencies, pinned with hashes"
	@$(BIN)/python requirements/install.py
	@$(BIN)/pip install --disable-pip-version-check --quiet --no-deps --no-build-isolation --editable .
	@echo "==> Kafka and PostgreSQL"
	@$(BIN)/python -c 'from worker.embedded import download; download(print)'
	@touch $@

run: $(READY) ## start Kafka, PostgreSQL and the worker, and show a story of a few hundred commands
	@$(BIN)/billing-worker dev --demo $(ARGS)

check: $(READY) ## format, lint, types, architecture, generated files, fast tests: under a minute
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m schemas.generate --check
	$(BIN)/pytest -q tests/domain tests/schemas tests/wire tests/tidy

test: check ## everything: the above, then every test on a real Kafka and a real PostgreSQL
	$(BIN)/pytest --ignore=tests/domain --ignore=tests/schemas --ignore=tests/wire --ignore=tests/tidy $(ARGS)

format: $(READY) ## put the code in shape
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock: ## resolve the dependencies anew (needs uv)
	requirements/lock $(ARGS)

clean: ## forget the virtual environment and the embedded servers' data
	rm -rf .venv .billing
