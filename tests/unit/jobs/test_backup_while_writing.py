"""Backups at any moment of runs that write: each is whole, and its rows are the chain's.

UTXORACLE_TEST_KILLS says how many there are; `make test-long` makes more.
"""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from threading import Event, Thread

import pytest

from tests.appliance import Appliance, Node, simulated_node
from tests.stored import Stored, check_is_whole, stored_in
from tests.unit.jobs.test_analyze_kills import OPTIONS, START, mark
from utxoracle.jobs.backup import backup
from utxoracle.settings import Settings
from utxoracle.store.backups import backups_in, checked
from utxoracle.store.folder import DataFolder
from utxoracle.store.snapshot import published_revision

BACKUPS = int(os.environ.get("UTXORACLE_TEST_KILLS", "20"))
PUBLICATIONS = max(1, BACKUPS // 6)
"""Every sixth backup waits for another snapshot, and as many for some other change."""

MOST_NEW = 3
"""Blocks that come between two runs."""

CHANGES = (
    "lock",
    "scans",
    "utxoracle_cache.db.wal",
    "utxoracle_cache.db",
    ".utxoracle_snapshot.db.new",
    "utxoracle_snapshot.db",
)
"""What a run changes one after the other; a backup comes then or a moment later."""


@pytest.fixture(scope="module")
def node() -> Iterator[Node]:
    with simulated_node(f"seed=5,{OPTIONS},days={5 + BACKUPS // 10}") as node:
        node.show(START)
        yield node


@pytest.fixture(scope="module")
def filled(node: Node, tmp_path_factory: pytest.TempPathFactory) -> Appliance:
    """A folder up to START; nothing may change it."""
    filled = Appliance(tmp_path_factory.mktemp("filled") / "data", node.mempool).init()
    filled.analyze()
    return filled


@pytest.fixture
def appliance(filled: Appliance, tmp_path: Path) -> Appliance:
    return filled.copy(tmp_path / "data")


@contextmanager
def runs_going_on(appliance: Appliance, node: Node, draw: Random) -> Iterator[Thread]:
    """Let the chain grow and be analyzed again and again, for as long as the block runs."""
    is_over = Event()

    def write() -> None:
        while not is_over.is_set():
            node.grow(draw.randint(1, MOST_NEW))
            appliance.analyze()

    writer = Thread(target=write)
    writer.start()
    try:
        yield writer
    finally:
        is_over.set()
        writer.join()


def wait_for_change(path: Path, writer: Thread) -> None:
    old = mark(path)
    while mark(path) == old:
        assert writer.is_alive(), "the runs have failed"
        time.sleep(0.0005)


def assert_of_chain(stored: Stored, twin: Stored) -> None:
    """Check that all rows are those of a machine that has stored more of the same chain."""
    check_is_whole(stored)
    assert stored.blocks == {height: twin.blocks[height] for height in stored.blocks}
    assert stored.windows == {height: twin.windows[height] for height in stored.windows}
    assert stored.days == {day: twin.days[day] for day in stored.days}
    last = max(stored.blocks)
    proven = [row[1] for row in twin.days.values() if row[1] + 7 <= last]
    assert [row[1] for row in stored.days.values()] == proven


def test_backups_at_any_moment_are_whole_and_equal_the_chain(filled, appliance, node, tmp_path):
    draw = Random(BACKUPS)
    folder = DataFolder(appliance.folder)
    settings = Settings(data_dir=appliance.folder)
    bounds = {}
    with runs_going_on(appliance, node, draw) as writer:
        for number in range(BACKUPS):
            before = published_revision(folder)
            if number % 3 == 0:
                change = draw.choice(CHANGES) if number % 2 else CHANGES[-1]
                wait_for_change(appliance.folder / change, writer)
            time.sleep(draw.choice((0, draw.uniform(0, 0.2))))
            made = backup(settings)
            bounds[made.path] = (before, published_revision(folder))
            assert made.facts == checked(made.path)
    twin = filled.copy(tmp_path / "twin")
    twin.analyze()
    whole = stored_in(twin.snapshot)
    files = [one.path for one in backups_in(settings.backup_folder())]
    assert len(files) == BACKUPS
    revisions = []
    for path in files:
        stored = stored_in(path)
        assert_of_chain(stored, whole)
        lowest, highest = bounds[path]
        assert lowest <= stored.revision <= highest
        revisions.append(stored.revision)
    assert revisions == sorted(revisions, reverse=True)
    assert len(set(revisions)) >= PUBLICATIONS


def test_a_snapshot_that_comes_in_the_midst_of_a_backup_is_left_to_the_next(appliance, node):
    old = stored_in(appliance.snapshot)
    with appliance.halted("open .utxoracle_cache_*.db.new", "backup") as pid:
        node.grow()
        appliance.analyze()
        os.kill(pid, signal.SIGCONT)
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    (made,) = backups_in(appliance.folder / "backups")
    assert stored_in(made.path) == old != stored_in(appliance.snapshot)
    assert appliance.run("backup").returncode == 0
    assert stored_in(backups_in(appliance.folder / "backups")[0].path) == stored_in(
        appliance.snapshot
    )
