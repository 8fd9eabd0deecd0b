"""The same blocks give the same rows, whatever serves them, and the true price."""

from statistics import mean

import pytest

from tests.appliance import Appliance, simulated_node
from tests.node.conftest import OPTIONS


def test_a_node_takes_every_block(chain, submitted):
    assert submitted.results == [None] * chain.tip_height
    assert submitted.tip == (chain.tip_height, chain.hash_at(chain.tip_height))


def test_a_node_gives_the_rows_that_files_give(node, appliance, interface, tmp_path, expected):
    node.start()
    appliance = Appliance(tmp_path / "empty", appliance.environment["UTXORACLE_SOURCE"]).init()
    appliance.analyze()
    assert appliance.last_run()["routes"] == {f"bitcoind {node.place}": interface}
    assert appliance.chain_rows() == expected.chain_rows()


def test_a_mempool_back_end_gives_the_rows_that_files_give(expected, tmp_path):
    with simulated_node(OPTIONS, "--regtest") as server:
        appliance = Appliance(tmp_path / "data", server.mempool).init()
        appliance.analyze()
    assert appliance.chain_rows() == expected.chain_rows()


def test_prices_are_the_true_ones(chain, expected):
    columns = "price, is_valid"
    days = expected.rows(f"SELECT first_height, last_height, {columns} FROM daily_prices")
    windows = expected.rows(f"SELECT height - 144, height - 1, {columns} FROM window_prices")
    assert days
    assert windows
    for first, last, price, is_valid in days + windows:
        assert is_valid
        true_price = mean(map(chain.price_at, range(first, last + 1)))
        assert price == pytest.approx(true_price, rel=0.02)
