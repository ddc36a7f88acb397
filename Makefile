# What a newcomer needs: `make demo`, `make test`. Everything is made in .venv; nothing needs root.

PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python3.14; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
WORKERS ?= 2

.PHONY: demo test test-quick test-compiled lint bench bench-engines coverage clean peers

demo: $(VENV)/installed
	$(BIN)/python examples/demo.py

test: $(VENV)/tested peers
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal

# Without the slow ones and without other people's programs.
test-quick: $(VENV)/tested
	$(BIN)/python -m pytest -n $(WORKERS) -m "not slow and not peer"

lint: $(VENV)/linted
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

coverage: $(VENV)/tested
	$(BIN)/python -m pytest -n $(WORKERS) --cov --cov-report=term-missing:skip-covered

bench: $(VENV)/benched
	$(BIN)/python -m bench

# Engines in memory, ours beside everyone's; compiled too if `make $(VENV)/compiled` was done.
bench-engines: $(VENV)/benched
	$(BIN)/python -m bench.engines --compiled $(VENV)/compiled

# The same source through mypyc (needs a C compiler), and the engines' tests on it.
$(VENV)/compiled: $(VENV)/installed setup.py $(shell find src/h123/protocol -name '*.py')
	rm -rf $@
	H123_COMPILE=1 $(PIP) install --no-deps --target $@ .

test-compiled: $(VENV)/compiled $(VENV)/tested
	PYTHONPATH=$(VENV)/compiled $(BIN)/python -m h123 --version
	PYTHONPATH=$(VENV)/compiled $(BIN)/python -m pytest -n $(WORKERS) tests/protocol

# curl, nghttp2, nginx, caddy and Chromium from Debian, where the machine allows. Tests skip what is missing.
peers: $(VENV)/tested
	@BIN=$(BIN) sh tests/install-peers

$(VENV)/python-found:
	@test -n "$(PYTHON)" || { echo "h123 needs Python 3.11 or newer" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || $(PYTHON) -m virtualenv --quiet $(VENV) || { \
		echo "cannot make a virtual environment: install Python's venv module (Debian: python3-venv)" >&2; \
		rm -rf $(VENV); exit 1; }
	@$(PIP) install --upgrade 'pip>=25.1'
	@touch $@

$(VENV)/installed: $(VENV)/python-found pyproject.toml
	$(PIP) install --editable '.[codings]'
	@touch $@

$(VENV)/tested: $(VENV)/installed
	$(PIP) install --group test
	@$(PIP) install --group fuzz || echo "atheris does not install here: its short runs are skipped"
	@touch $@

$(VENV)/linted: $(VENV)/tested
	$(PIP) install --group lint
	@touch $@

# niquests' urllib3-future takes urllib3's place unless it is built so: then requests would be measured on it.
$(VENV)/benched: $(VENV)/installed
	URLLIB3_NO_OVERRIDE=1 $(PIP) install --no-binary urllib3-future --group bench
	@touch $@

clean:
	rm -rf $(VENV) build dist .cache .coverage* .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache src/*.egg-info
	find . -name __pycache__ -prune -exec rm -rf {} +
