# Everything sets itself up: `make run` shows the main job, `make test` proves it. Needs Python 3.11 or newer, and make.

PYTHON ?= $(firstword $(foreach p,python3.13 python3.12 python3.11 python3,$(shell \
	$(p) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && command -v $(p))))
BIN := .venv/bin
READY := .venv/ready
FUZZER := .venv/fuzzer
COMPILED := .venv/compiled

.DEFAULT_GOAL := help
.PHONY: help setup run test test-faults test-ops soak simulate model fuzz bench compiled check audit sbom docs format lock clean

help: ## what can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

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
	$(BIN)/python -m reference --check
	$(BIN)/python -m deploy.grafana.generate --check
	$(BIN)/python -m deploy.helm.generate --check
	$(BIN)/pytest -q tests/domain tests/schemas tests/wire tests/tidy tests/docs --ignore=tests/docs/test_commands.py

test: check ## everything but what takes its time: the above, then every test on a real Kafka and a real PostgreSQL
	$(BIN)/pytest -m "not slow" --ignore=tests/domain --ignore=tests/schemas --ignore=tests/wire --ignore=tests/tidy $(ARGS)

test-faults: $(READY) ## what takes its time: the rest of the fault matrix, mutants of the worker, drills of recovery
	$(BIN)/pytest -m slow $(ARGS)

test-ops: $(READY) ## what needs others' tools: prometheus, promtool, kcat, a JDK, Go, Node.js, @asyncapi/cli, helm
	@{ command -v prometheus && command -v promtool; } >/dev/null || { echo "prometheus and promtool are needed: apt-get install prometheus, or the release of your system" >&2; exit 1; }
	$(BIN)/pytest -m ops $(ARGS)

soak: $(READY) ## workers under load and random faults, all checked at the end: make soak SECONDS=300 [SEED=1]
	$(BIN)/python -m tests.soak --seconds $(or $(SECONDS),300) $(if $(SEED),--seed $(SEED)) $(ARGS)

simulate: $(READY) ## histories with faults in memory, thousands a minute: make simulate SEEDS=10000
	$(BIN)/python -m tests.simulation --seeds $(or $(SEEDS),10000) $(ARGS)

model: ## check the model of the lane protocol exhaustively, and that its mutants are caught (needs Spin)
	docs/model/check

$(FUZZER): requirements/fuzz.txt $(READY)
	@echo "==> the fuzzer, pinned with its hash (Linux on x86-64, Python 3.11)"
	@$(BIN)/pip install --disable-pip-version-check --quiet --require-hashes --requirement requirements/fuzz.txt
	@touch $@

fuzz: $(FUZZER) ## search for input that the reader does not stand, guided by coverage (Python 3.11): make fuzz SECONDS=60
	$(BIN)/python -m tests.fuzz.explore --seconds $(or $(SECONDS),60) $(ARGS)

bench: $(READY) ## how fast, beside what the machine can do: make bench [QUICK=1 | FULL=1] [ONLY=latency,growth]
	@$(MAKE) --no-print-directory compiled || echo "==> plain Python is measured: nothing could be compiled"
	@PYTHONSAFEPATH=1 PYTHONPATH=$(CURDIR)/$(COMPILED):$(CURDIR) $(BIN)/python -m benchmarks $(if $(QUICK),--quick) $(if $(FULL),--full) $(if $(ONLY),--only $(ONLY)) $(ARGS)

compiled: $(COMPILED)/ready ## the worker with its hot modules as machine code, in .venv/compiled (needs a C compiler)

SHIPPED := $(shell find migrations schemas worker -name __pycache__ -prune -o -print)
$(COMPILED)/ready: $(READY) pyproject.toml hatch_build.py README.md LICENSE $(SHIPPED)
	@echo "==> compiling the hot modules: a minute or two"
	@rm -rf $(COMPILED) $(COMPILED).wheel
	@mkdir -p $(COMPILED).wheel && touch $(COMPILED).wheel/begun
	@HATCH_BUILD_HOOKS_ENABLE=1 HATCH_QUIET=1 $(BIN)/hatchling build --target wheel --directory $(COMPILED).wheel >/dev/null
	@$(BIN)/pip install --disable-pip-version-check --quiet --no-deps --no-index --target $(COMPILED) $(COMPILED).wheel/*.whl
	@mv $(COMPILED).wheel/begun $@ && rm -rf $(COMPILED).wheel

audit: $(READY) ## look for known weaknesses in what production installs (asks an advisory service; never passes without one)
	@$(BIN)/pip-audit --strict --disable-pip --require-hashes --requirement requirements/runtime.txt \
		--progress-spinner off --timeout 15 $(ARGS) || { \
		echo "The audit did not pass. If what is told above is a connection, or a dependency that was not found," >&2; \
		echo "no advisory service was reached and nothing was audited. Another one: make audit ARGS='-s osv'" >&2; \
		exit 1; }

sbom: $(READY) ## write down what production installs, as CycloneDX: dist/sbom.json
	@mkdir -p dist
	@$(BIN)/python -W ignore::UserWarning -m cyclonedx_py requirements --output-reproducible --pyproject pyproject.toml --validate \
		--output-file dist/sbom.json requirements/runtime.txt
	@echo "dist/sbom.json"

docs: $(READY) ## the site, from docs/ and the code: dist/site/index.html
	@$(BIN)/python -m reference
	@$(BIN)/zensical build --strict

format: $(READY) ## put the code in shape
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock: ## resolve the dependencies anew (needs uv)
	requirements/lock $(ARGS)

clean: ## forget the virtual environment and the embedded servers' data
	rm -rf .venv .billing
