"""`kill -9` of a run at any instant: nothing that was committed is lost, and nothing is half there.

UTXORACLE_TEST_KILLS says how many kills there are; `make test-long` makes more.
"""

import os
import time
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
    ("scans", 60, 0.1),
    ("utxoracle_cache.db.wal", 8, 0.05),
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


def kill_at_change(process: "Popen[str]", folder: Path, draw: Random) -> bool:
    """Kill a run when it changes something, or a moment later; tell whether it didn't end before."""
    name, most_changes, seconds = draw.choice(CHANGES)
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
        node.fork(fork, min(tip + draw.randint(-1, 3), HIGHEST))
    else:
        node.grow(draw.randint(1, 6))
    return fork


def assert_put_in_order(appliance: Appliance, node: Node, folder: Path) -> None:
    """Check that all is as in a folder that was filled at once, and nothing is left over."""
    at_once = Appliance(folder, node.mempool).init()
    at_once.analyze()
    assert appliance.chain_rows() == at_once.chain_rows()
    assert appliance.chain_rows(appliance.database) == at_once.chain_rows()
    assert stored_in(appliance.snapshot).revision == stored_in(appliance.database).revision
    names = {path.name for path in appliance.folder.iterdir()}
    assert names == {path.name for path in folder.iterdir()}
    assert not list(appliance.folder.glob("scans/.*"))


@pytest.mark.parametrize("seed", range(CHAPTERS))
def test_a_run_that_is_killed_at_any_instant_loses_nothing_and_is_continued(seed, tmp_path):
    draw = Random(seed)
    with simulated_node(f"seed={seed},{OPTIONS}") as node:
        node.show(START)
        appliance = Appliance(tmp_path / "ours", node.mempool).init()
        database = Witness(stored_by(appliance, tmp_path / "copy"))
        snapshot = Witness(stored_in(appliance.snapshot))
        kills = runs = 0
        while kills < CHAPTER:
            runs += 1
            assert runs < 4 * CHAPTER, "runs end before they are killed"
            _, tip_hash = node.tip()
            process = appliance.start("analyze", UTXORACLE_WORKERS=draw.choice("1112"))
            kills += kill_at_change(process, appliance.folder, draw)
            stored = stored_by(appliance, tmp_path / "copy")
            published = stored_in(appliance.snapshot)
            for witness, found in (database, stored), (snapshot, published):
                check_is_whole(found)
                witness.check(found, tip_hash)
            assert published == stored or published.revision < stored.revision
            fork = move(node, draw)
            database.fork(fork)
            snapshot.fork(fork)
        appliance.analyze()
        assert_put_in_order(appliance, node, tmp_path / "at-once")
