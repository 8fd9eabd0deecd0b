"""Blocks that a real node takes back, replaces and brings again while a run is going on."""

import subprocess

import pytest

from tests.appliance import one_line
from tests.node.conftest import over_both
from tests.node.halted import halted_run, resumed

DEPTH = 5


@pytest.fixture(params=[120, 2])
def halt_height(request, chain) -> int:
    """Height of the block that a run has when others change, which it has fetched or hasn't."""
    return int(chain.tip_height - request.param)


@pytest.fixture
def stale(chain) -> str:
    """Hash of the lowest block that is taken back."""
    return str(chain.hash_at(chain.tip_height - DEPTH + 1))


def assert_ended_cleanly(done: "subprocess.CompletedProcess[str]") -> None:
    """Check that a run ended well, or failed in one line."""
    if done.returncode:
        one_line(done, 3)


@over_both
def test_blocks_that_are_taken_back_during_a_run_and_come_again(
    node, appliance, expected, stale, midst
):
    node.start()
    with halted_run(appliance, midst) as run:
        node.call("invalidateblock", stale)
        assert_ended_cleanly(resumed(run))
    # What was stored stays until other blocks come: the node only looks late.
    appliance.analyze()
    node.call("reconsiderblock", stale)
    appliance.analyze()
    assert appliance.chain_rows() == expected.chain_rows()


def test_blocks_that_are_replaced_during_a_run(node, appliance, stale, halt_height):
    fresh = appliance.copy(appliance.folder.with_name("fresh"))
    node.start()
    height, tip_hash = node.tip()
    with halted_run(appliance, halt_height) as run:
        node.call("invalidateblock", stale)
        node.call("setmocktime", node.call("getblockheader", tip_hash)["time"] + 600)
        node.call("generatetodescriptor", DEPTH + 1, "raw(51)")
        assert_ended_cleanly(resumed(run))
    appliance.analyze()
    fresh.analyze()
    assert appliance.chain_rows() == fresh.chain_rows()
    newest = appliance.rows("SELECT height, hash FROM blocks ORDER BY height DESC LIMIT 1")
    assert newest == [node.tip()]
    assert newest[0][0] == height + 1


def test_blocks_that_come_again_during_a_run_are_taken(node, appliance, expected, stale, midst):
    node.start()
    node.call("invalidateblock", stale)
    with halted_run(appliance, midst) as run:
        node.call("reconsiderblock", stale)
        assert_ended_cleanly(resumed(run))
    appliance.analyze()
    assert appliance.chain_rows() == expected.chain_rows()
