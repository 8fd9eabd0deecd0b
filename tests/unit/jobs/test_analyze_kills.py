"""`kill -9` of a run at any instant: nothing that was committed is lost, and nothing is half there.

UTXORACLE_TEST_KILLS says how many kills there are; `make test-long` makes more.
"""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random
from signal import SIGKILL
from subprocess import Popen

import pytest

from tests.appliance import SECONDS, Appliance, Node, simulated_node
from tests.stored import Witness, check_is_whole, stored_by, stored_in

CHAPTER = 20
"""Kills of one folder, from the first run on."""

CHAPTERS = max(1, int(os.environ.get("UTXORACLE_TEST_KILLS", CHAPTER)) // CHAPTER)

OPTIONS = "days=5,blocks_per_day=60,transactions=20,start=2025-01-01"
FIRST = 800
START = 960
HIGHEST = FIRST + 287
"""Up to here every first run begins with the chain's first block, however late it is made."""

CHANGES = (
    ("lock", 1, 0.8),
    ("scans", 20, 0.1),
    ("utxoracle_cache.db.wal", 3, 0.05),
    ("utxoracle_cache.db", 2, 0.05),
    (".utxoracle_snapshot.db.new", 1, 0.01),
    ("utxoracle_snapshot.db", 1, 0.02),
    ("last_run.json", 1, 0.02),
)
"""What a run changes one after the other, how often at most, and the seconds of work that follow.

A kill comes at such a change or within these seconds: delays from the start would mostly meet the
loading of the program, and depend on how busy the machine is.
"""


def mark(path: Path) -> tuple[int, int, int] | None:
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns


def kill_at_change(
    process: "Popen[str]", folder: Path, change: tuple[str, int, float], draw: Random
) -> bool:
    """Kill a run when it changes something, or a moment later; tell whether it was in time."""
    name, most_changes, seconds = change
    for _ in range(draw.randint(1, most_changes)):
        old = mark(folder / name)
        while mark(folder / name) == old and process.poll() is None:
            time.sleep(0.0005)
    time.sleep(draw.choice((0, draw.uniform(0, seconds))))
    process.kill()
    # Whatever scans for the run holds its output open, and must end with it.
    _, errors = process.communicate(timeout=SECONDS)
    assert process.returncode in (0, -SIGKILL), errors
    return process.returncode != 0


def move(node: Node, draw: Random) -> int:
    """Let the chain grow, sometimes on another branch; return the first height that is new."""
    tip, _ = node.tip()
    fork = tip + 1
    if draw.random() < 0.3 or tip + 6 > HIGHEST:
        fork -= draw.randint(1, 12)
        node.fork(fork, min(max(fork, tip + draw.randint(-1, 3)), HIGHEST))
    else:
        node.grow(draw.randint(1, 6))
    return fork


def assert_same(appliance: Appliance, at_once: Appliance) -> None:
    """Check that all is as in a folder that was filled at once, and nothing is left over."""
    assert appliance.chain_rows() == at_once.chain_rows()
    assert stored_in(appliance.snapshot) == stored_in(appliance.database)
    assert names(appliance.folder) == names(at_once.folder)
    assert not list(appliance.folder.glob("scans/.*"))


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.mark.parametrize("seed", range(CHAPTERS))
def test_a_run_that_is_killed_at_any_instant_loses_nothing_and_is_continued(seed, tmp_path):
    draw = Random(seed)
    with simulated_node(f"seed={seed},{OPTIONS}") as node:
        node.show(START)
        appliance = Appliance(tmp_path / "ours", node.mempool).init()
        database = Witness(stored_by(appliance, tmp_path / "copy"))
        snapshot = Witness(stored_in(appliance.snapshot))
        kills = 0
        for change in draw.sample(CHANGES * CHAPTER, len(CHANGES) * CHAPTER):
            _, tip_hash = node.tip()
            process = appliance.start("analyze", UTXORACLE_WORKERS=draw.choice("1112"))
            kills += kill_at_change(process, appliance.folder, change, draw)
            stored = stored_by(appliance, tmp_path / "copy")
            published = stored_in(appliance.snapshot)
            for witness, found in (database, stored), (snapshot, published):
                check_is_whole(found)
                witness.check(found, tip_hash)
            assert published == stored or published.revision < stored.revision
            fork = move(node, draw)
            database.fork(fork)
            snapshot.fork(fork)
            if kills == CHAPTER:
                break
        assert kills == CHAPTER, "runs end before they are killed"
        appliance.analyze()
        at_once = Appliance(tmp_path / "at-once", node.mempool).init()
        at_once.analyze()
        assert_same(appliance, at_once)


@pytest.fixture(scope="module")
def node() -> Iterator[Node]:
    with simulated_node(f"seed=1,{OPTIONS}") as node:
        yield node


@pytest.fixture(scope="module")
def filled(node: Node, tmp_path_factory: pytest.TempPathFactory) -> tuple[Appliance, Appliance]:
    """A folder up to START, and one up to the node's tip, which is three blocks higher."""
    node.show(START)
    folder = tmp_path_factory.mktemp("filled")
    old = Appliance(folder / "old", node.mempool).init()
    old.analyze()
    new = old.copy(folder / "new")
    node.grow(3)
    new.analyze()
    return old, new


@pytest.mark.parametrize(
    ("crash", "is_committed", "is_published"),
    [
        (("kill", "os.rename 961_*.npz"), False, False),
        (("kill", "os.[ls]*dir scans"), True, False),
        (("kill", "open .utxoracle_snapshot.db.new"), True, False),
        (("kill_within", "open .utxoracle_snapshot.db.new"), True, False),
        (("kill", "os.rename utxoracle_snapshot.db"), True, False),
        (("kill", "os.rename last_run.json"), True, True),
    ],
)
def test_the_next_run_puts_in_order_what_a_crash_left(
    filled, tmp_path, crash, is_committed, is_published
):
    old, new = filled
    appliance = old.copy(tmp_path / "data")
    crashed = appliance.run_disturbed(*crash, "analyze")
    assert crashed.returncode < 0, crashed.stderr
    expected = new if is_committed else old
    assert stored_by(appliance, tmp_path / "copy") == stored_in(expected.database)
    assert stored_in(appliance.snapshot) == stored_in((new if is_published else old).snapshot)
    assert appliance.analyze()["blocks"] == (0 if is_committed else 3)
    assert_same(appliance, new)
    assert appliance.last_run()["exit_code"] == 0


def test_what_scans_for_a_first_run_ends_with_it_and_the_next_begins_anew(filled, node, tmp_path):
    appliance = Appliance(tmp_path / "data", node.mempool, UTXORACLE_WORKERS="3").init()
    # Returns when nobody holds its output any more, hence not before the scanning processes end.
    crashed = appliance.run_disturbed("kill", "os.rename 8*_*.npz", "analyze")
    assert crashed.returncode == -SIGKILL
    appliance.analyze()
    assert_same(appliance, filled[1])


def test_init_db_begins_anew_behind_a_crash(node, tmp_path):
    appliance = Appliance(tmp_path / "data", node.mempool)
    crashed = appliance.run_disturbed("kill", "os.rename utxoracle_cache.db", "init-db")
    assert crashed.returncode == -SIGKILL
    assert not appliance.database.exists()
    appliance.init()
    assert names(appliance.folder) == {
        "lock",
        "scans",
        appliance.database.name,
        appliance.snapshot.name,
    }
