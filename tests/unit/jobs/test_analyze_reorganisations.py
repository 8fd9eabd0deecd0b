"""Reorganisations: stale rows go and new ones come together, and the rest is as if never stored."""

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import count

import pytest

from tests.appliance import Appliance, Node, kill, simulated_node
from utxoracle.simulation.chain import SimulatedChain
from utxoracle.simulation.options import SimulationOptions

OPTIONS = "seed=9,days=2,transactions=40,start=2025-01-01"
ROOT = 945
"""The newest block that no fork replaces."""

TIP = 960


def filled(appliance: Appliance) -> Appliance:
    assert appliance.analyze()["caught_up"]
    return appliance


@pytest.fixture(scope="module")
def node() -> Iterator[Node]:
    """A node whose blocks above ROOT are others after each test: no fork is taken back."""
    with simulated_node(OPTIONS) as node:
        yield node


@pytest.fixture(scope="module")
def root(node: Node, tmp_path_factory: pytest.TempPathFactory) -> Appliance:
    """A folder up to ROOT; nothing may change it."""
    node.show(ROOT)
    return filled(Appliance(tmp_path_factory.mktemp("root") / "data", node.mempool).init())


@pytest.fixture
def ours(node: Node, root: Appliance, tmp_path) -> Appliance:
    """A folder up to TIP."""
    node.show(TIP)
    return filled(root.copy(tmp_path / "ours"))


@pytest.fixture
def fresh(root: Appliance, tmp_path) -> Appliance:
    """A folder that never sees what becomes stale."""
    return root.copy(tmp_path / "fresh")


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
def test_a_reorganisation_leaves_what_a_new_folder_would_hold(node, ours, fresh, depth, higher):
    above = f"SELECT height, hash FROM blocks WHERE height > {TIP - depth}"
    stale = dict(ours.rows(above))
    node.fork(TIP - depth + 1, TIP + higher)
    report = ours.analyze()
    assert (report["stale"], report["blocks"]) == (depth, depth + higher)
    assert f"{depth} stale block" in report["message"]
    assert_one_chain(ours)
    new = dict(ours.rows(above))
    assert all(new[height] != stale[height] for height in stale)
    assert ours.chain_rows() == filled(fresh).chain_rows()


def test_a_chain_that_becomes_shorter_is_followed(node, ours, fresh):
    node.fork(TIP - 5, TIP - 2)
    report = ours.analyze()
    assert (report["stale"], report["blocks"], report["last_height"]) == (6, 4, TIP - 2)
    assert_one_chain(ours)
    assert ours.chain_rows() == filled(fresh).chain_rows()


def test_reorganisations_one_after_the_other_leave_no_trace(node, ours, fresh):
    for later, depth in enumerate((3, 1, 6, 2)):
        node.fork(TIP + later - depth + 1, TIP + later + 1)
        ours.analyze()
        assert_one_chain(ours)
    assert ours.chain_rows() == filled(fresh).chain_rows()


def test_what_is_recorded_as_the_tip_is_what_is_stored(node, ours):
    node.fork(TIP, TIP)
    ours.analyze()
    ((stored,),) = ours.rows(f"SELECT hash FROM blocks WHERE height = {TIP}")
    assert ours.last_run()["tip_hash"] == stored == node.tip()[1]


def test_a_dry_run_counts_a_reorganisation_once(node, ours):
    node.fork(TIP - 2, TIP + 1)
    told = ours.analyze("--dry-run")
    assert (told["stale"], told["blocks"], told["last_height"]) == (3, 4, TIP + 1)
    assert ours.rows("SELECT max(height) FROM blocks") == [(TIP,)]


def test_a_source_that_is_far_behind_is_waited_for(node, ours):
    before = ours.chain_rows()
    with simulated_node("days=1,transactions=10,start_height=1,start=2025-01-01") as other:
        line = ours.refused(3, "analyze", "--source", other.mempool)
    assert "wait until it has caught up" in line
    assert ours.chain_rows() == before


def test_another_chain_altogether_is_refused_with_a_way_out(ours):
    before = ours.database.read_bytes()
    with simulated_node("seed=2,days=2,transactions=10") as other:
        line = ours.refused(4, "analyze", "--source", other.mempool)
    assert "has none of the" in line
    assert "utxoracle init-db" in line
    assert ours.database.read_bytes() == before
    assert ours.last_run()["exit_code"] == 4


def test_a_reorganisation_deeper_than_usual_is_followed_while_ancestors_are_known(tmp_path):
    with simulated_node(OPTIONS, f"--tip={TIP}") as node:
        appliance = filled(Appliance(tmp_path / "ours", node.mempool).init())
        node.fork(TIP - 120, TIP)
        assert appliance.analyze()["stale"] == 121
        fresh = filled(Appliance(tmp_path / "fresh", node.mempool).init())
    assert_one_chain(appliance)
    assert appliance.chain_rows() == fresh.chain_rows()


def test_a_chain_that_is_reorganised_while_it_is_read_is_read_again(tmp_path):
    """The node answers slowly, and goes over to another branch in the midst of a first run."""
    with simulated_node(OPTIONS, "--delay=0.01", f"--tip={TIP}") as node:
        appliance = Appliance(tmp_path / "ours", node.mempool).init()
        running = appliance.start("analyze", "--json")
        try:
            fetched = 0
            while fetched < 5:
                assert running.poll() is None
                fetched += sum(path.endswith("/raw") for path in node.requests())
            node.fork(TIP - 100, TIP)
            output, errors = running.communicate(timeout=60)
        finally:
            kill(running)
        assert running.returncode == 0, errors
        assert '"caught_up": true' in output
        assert_one_chain(appliance)
        fresh = filled(Appliance(tmp_path / "fresh", node.mempool).init())
    assert appliance.chain_rows() == fresh.chain_rows()


# Around the end of a day.


@pytest.fixture(scope="module")
def morning(tmp_path_factory) -> Iterator[tuple[Node, Appliance, int]]:
    """A node with three days, a folder up to midnight, and the height of the day's first block."""
    options = "seed=9,days=2,transactions=40,start_height=860"
    chain = SimulatedChain(SimulationOptions.parse(options))
    midnight = datetime(2025, 1, 2, tzinfo=UTC).timestamp()
    first = next(one for one in count(chain.first_height) if chain.time_at(one) >= midnight)
    with simulated_node(options) as node:
        node.show(first - 4)
        folder = tmp_path_factory.mktemp("morning") / "data"
        yield node, filled(Appliance(folder, node.mempool).init()), first


def test_a_day_that_was_finished_by_stale_blocks_is_priced_anew(morning, tmp_path):
    node, evening, first = morning
    node.show(first + 6)
    ours = filled(evening.copy(tmp_path / "ours"))
    assert ours.rows("SELECT last_height FROM daily_prices") == [(first - 1,)]
    node.fork(first - 2, first + 20)
    ours.analyze()
    assert_one_chain(ours)
    assert ours.chain_rows() == filled(evening.copy(tmp_path / "fresh")).chain_rows()
    assert len(ours.rows("SELECT * FROM daily_prices")) == 1


def test_a_day_is_gone_as_long_as_nothing_proves_it_to_be_finished(morning, tmp_path):
    node, evening, first = morning
    tip = first + 20
    node.show(tip)
    ours = filled(evening.copy(tmp_path / "ours"))
    ((last, before),) = ours.rows("SELECT last_height, price FROM daily_prices")
    node.fork(last + 3, last + 5)
    ours.analyze()
    assert_one_chain(ours)
    assert ours.rows("SELECT * FROM daily_prices") == []
    node.show(tip)
    ours.analyze()
    assert ours.rows("SELECT price FROM daily_prices") == [(before,)]
