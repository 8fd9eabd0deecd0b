"""Reorganisations: stale rows go and new ones come together, and the rest is as if never stored."""

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import count

import pytest

from tests.appliance import Appliance, Node, kill, simulated_node
from utxoracle.simulation.chain import SimulatedChain
from utxoracle.simulation.options import SimulationOptions

OPTIONS = "seed=9,days=2,transactions=40,start=2025-01-01"

SHORT = 970
"""A tip at which a first run has only some windows to price."""


@pytest.fixture
def node() -> Iterator[Node]:
    """A node of its own for each test: a fork can't be taken back."""
    with simulated_node(OPTIONS) as node:
        yield node


def filled(node: Node, folder) -> Appliance:
    appliance = Appliance(folder, node.mempool).init()
    assert appliance.analyze()["caught_up"]
    return appliance


def assert_same_as_new(appliance: Appliance, node: Node, folder) -> None:
    """Compare with a folder that never saw the stale blocks, as far as both reach back."""
    fresh = filled(node, folder).chain_rows()
    ours = appliance.chain_rows()
    assert ours["points"] == fresh["points"]
    for table in ("blocks", "windows", "days"):
        if ours[table] and fresh[table]:
            # The oldest window and day of a folder have none before them to be compared with.
            begin = max(rows[table][0][0] for rows in (ours, fresh))
            later = [[row for row in rows[table] if row[0] > begin] for rows in (ours, fresh)]
            assert later[0] == later[1], table
        else:
            assert table == "days"


def assert_one_chain(appliance: Appliance) -> None:
    """Check that the snapshot holds the blocks of one chain, and prices of these blocks only."""
    assert appliance.rows(
        "SELECT count(*) FROM blocks JOIN blocks AS before ON before.height = blocks.height - 1 "
        "WHERE blocks.prev_hash != before.hash"
    ) == [(0,)]
    assert appliance.rows(
        "SELECT count(*) FROM window_prices AS priced ANTI JOIN blocks USING (height, hash, time)"
    ) == [(0,)]


@pytest.mark.parametrize(("depth", "higher"), [(1, 0), (1, 1), (2, 30), (6, 0), (6, 1)])
def test_a_reorganisation_leaves_what_a_new_folder_would_hold(node, tmp_path, depth, higher):
    tip = SHORT
    node.show(tip)
    appliance = filled(node, tmp_path / "ours")
    stale = dict(appliance.rows(f"SELECT height, hash FROM blocks WHERE height > {tip - depth}"))
    node.fork(tip - depth + 1, tip + higher)
    report = appliance.analyze()
    assert (report["stale"], report["blocks"]) == (depth, depth + higher)
    assert f"{depth} stale block" in report["message"]
    assert_one_chain(appliance)
    new = dict(appliance.rows(f"SELECT height, hash FROM blocks WHERE height > {tip - depth}"))
    assert all(new[height] != stale[height] for height in stale)
    assert_same_as_new(appliance, node, tmp_path / "fresh")


def test_a_chain_that_becomes_shorter_is_followed(node, tmp_path):
    tip = SHORT
    node.show(tip)
    appliance = filled(node, tmp_path / "ours")
    node.fork(tip - 5, tip - 2)
    report = appliance.analyze()
    assert (report["stale"], report["blocks"], report["last_height"]) == (6, 4, tip - 2)
    assert_one_chain(appliance)
    assert_same_as_new(appliance, node, tmp_path / "fresh")


@pytest.fixture
def morning() -> Iterator[tuple[Node, int]]:
    """A node whose tip is the seventh block of a day, and the height of the day's first block."""
    with simulated_node("seed=9,days=3,transactions=40,start=2025-01-01") as node:
        chain = SimulatedChain(SimulationOptions.parse("seed=9,days=3,transactions=40"))
        midnight = datetime(2025, 1, 3, tzinfo=UTC).timestamp()
        first = next(
            height for height in count(chain.first_height) if chain.time_at(height) >= midnight
        )
        node.show(first + 6)
        yield node, first


def test_a_day_that_was_finished_by_stale_blocks_is_priced_anew(morning, tmp_path):
    node, first = morning
    appliance = filled(node, tmp_path / "ours")
    node.fork(first - 2, first + 10)
    appliance.analyze()
    assert_one_chain(appliance)
    assert_same_as_new(appliance, node, tmp_path / "fresh")


def test_a_day_is_gone_as_long_as_nothing_proves_it_to_be_finished(morning, tmp_path):
    node, first = morning
    appliance = filled(node, tmp_path / "ours")
    last_day = f"SELECT price FROM daily_prices WHERE last_height = {first - 1}"
    (before,) = appliance.rows(last_day)
    node.fork(first + 1, first + 4)
    appliance.analyze()
    assert_one_chain(appliance)
    assert appliance.rows(last_day) == []
    node.show(first + 8)
    appliance.analyze()
    assert appliance.rows(last_day) == [before]


def test_reorganisations_one_after_the_other_leave_no_trace(node, tmp_path):
    tip = SHORT
    node.show(tip)
    appliance = filled(node, tmp_path / "ours")
    for depth in (3, 1, 6, 2):
        node.fork(tip - depth + 1, tip + 1)
        tip += 1
        appliance.analyze()
        assert_one_chain(appliance)
    assert_same_as_new(appliance, node, tmp_path / "fresh")


def test_a_reorganisation_deeper_than_the_usual_is_followed_while_ancestors_are_known(
    node, tmp_path
):
    tip = node.tip()[0]
    appliance = filled(node, tmp_path / "ours")
    node.fork(tip - 120, tip)
    assert appliance.analyze()["stale"] == 121
    assert_one_chain(appliance)
    assert_same_as_new(appliance, node, tmp_path / "fresh")


def test_another_chain_altogether_is_refused_with_a_way_out(tmp_path):
    with simulated_node("seed=1,days=1,transactions=20") as node:
        appliance = filled(node, tmp_path / "ours")
    before = appliance.database.read_bytes()
    with simulated_node("seed=2,days=1,transactions=20") as other:
        line = appliance.refused(4, "analyze", "--source", other.mempool)
    assert "has none of the" in line
    assert "utxoracle init-db" in line
    assert appliance.database.read_bytes() == before
    assert appliance.last_run()["exit_code"] == 4


def test_a_chain_that_is_reorganised_while_it_is_read_is_read_again(tmp_path):
    """The node answers slowly, and goes over to another branch in the midst of a first run."""
    with simulated_node(OPTIONS, "--delay=0.01", f"--tip={SHORT}") as node:
        tip = SHORT
        appliance = Appliance(tmp_path / "ours", node.mempool).init()
        running = appliance.start("analyze", "--json")
        try:
            fetched = 0
            while fetched < 5:
                assert running.poll() is None
                fetched += sum(path.endswith("/raw") for path in node.requests())
            node.fork(tip - 100, tip)
            output, errors = running.communicate(timeout=60)
        finally:
            kill(running)
        assert running.returncode == 0, errors
        assert '"caught_up": true' in output
        assert_one_chain(appliance)
        assert_same_as_new(appliance, node, tmp_path / "fresh")
