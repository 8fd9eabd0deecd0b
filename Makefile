PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

.PHONY: help run test test-long test-web test-node test-nix test-system system-long appliance appliance-shell check format bench clean

help: ## Show what there is
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 17

run: $(VENV)/run.stamp ## Store and price a simulated chain, and say what to do next with a real node
	@$(BIN)/utxoracle demo --no-serve
	@echo
	@echo "Next, the same with its page, in a browser:"
	@echo "  $(BIN)/utxoracle demo"
	@echo
	@echo "Or with your own node or mempool stack:"
	@echo "  $(BIN)/utxoracle init-db"
	@echo "  $(BIN)/utxoracle analyze --source mempool+http://127.0.0.1:8999"
	@echo "  $(BIN)/utxoracle analyze --source 'bitcoind+http://127.0.0.1:8332?cookie=/path/.cookie'"
	@echo "  $(BIN)/utxoracle serve"
	@echo "  $(BIN)/utxoracle --help"

# By files: the tests of one may share a node, which each leaves with other blocks than it found.
test: $(VENV)/dev.stamp ## Run the tests, on all cores
	$(BIN)/python -m pytest -n auto --dist loadfile

test-long: $(VENV)/dev.stamp ## Run the tests, and kill the main job five times as often
	UTXORACLE_TEST_KILLS=100 $(BIN)/python -m pytest -n auto --dist loadfile

test-web: $(VENV)/web.stamp ## Test the API with made-up requests, and the page in Chromium
	$(BIN)/python -m pytest tests/api tests/web

test-node: $(VENV)/dev.stamp ## Test with a real bitcoind, which is downloaded into ~/.cache/utxoracle at first
	$(BIN)/python -m pytest tests/node

test-nix: $(VENV)/dev.stamp ## Test the NixOS module, what it makes and its scripts; as root, the scripts for real
	$(BIN)/python -m pytest -n auto --dist loadfile tests/nix

test-system: $(VENV)/dev.stamp ## Test the whole appliance on hosts with a systemd of their own; as root
	$(BIN)/python -m pytest -n 2 tests/system

system-long: $(VENV)/dev.stamp ## The same with twenty power cuts and minutes of load
	SYSTEM_TEST_LONG=1 $(BIN)/python -m pytest -n 2 tests/system

PORT ?= 8000
appliance: $(VENV)/dev.stamp ## Show the whole appliance on a simulated chain, until Ctrl-C; as root; PORT=8000
	@$(BIN)/python -m tests.system.appliance --port $(PORT)

appliance-shell: $(VENV)/dev.stamp ## Give a shell on it
	@$(BIN)/python -m tests.system.appliance --shell

check: $(VENV)/dev.stamp ## Check format, lint and types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: $(VENV)/dev.stamp ## Format the code and mend what ruff can
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(VENV)/bench.stamp ## Measure; BLOCKS=folder of mainnet blocks, ORIGINAL=path of the original script
	BLOCKS="$(BLOCKS)" ORIGINAL="$(ORIGINAL)" $(BIN)/python -m bench

clean: ## Remove the virtual environment and all caches
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist *.egg-info utxoracle/web/vendor

$(VENV)/run.stamp: pyproject.toml hatch_build.py | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/dev.stamp: pyproject.toml hatch_build.py | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@ $(VENV)/run.stamp

# axe-core comes in a package that depends on a browser of its own, which isn't needed.
$(VENV)/web.stamp: $(VENV)/dev.stamp
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev,web]'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps axe-playwright-python
	@touch $@

$(VENV)/bench.stamp: $(VENV)/dev.stamp
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev,bench]'
	@touch $@

$(BIN)/python:
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
	  echo "can't make a virtual environment with $(PYTHON); on Debian: apt install python3-venv" >&2; exit 1; }
