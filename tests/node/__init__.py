"""Tests with a real bitcoind: `make test-node`, or `pytest tests/node`."""
