"""Readers of the snapshot while it is published again and again."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.appliance import SECONDS, Appliance, kill, simulated_node
from utxoracle.atomic import write_atomically

OPTIONS = "seed=8,days=5,blocks_per_day=60,transactions=20,start=2025-01-01"
TIP = 960
RUNS = 3
PUBLICATIONS = 50
READERS = 3
END = -1

WRITE = """
import sys
from pathlib import Path
from tests.unit.jobs.test_analyze_readers import tell
from tests.unit.store.samples import batch
from utxoracle.bitcoin.network import REGTEST
from utxoracle.store.database import Database
from utxoracle.store.folder import DataFolder
from utxoracle.store.lock import run_lock
from utxoracle.store.snapshot import publish
folder, told = DataFolder(Path(sys.argv[1])), Path(sys.argv[2])
for _ in range(int(sys.argv[3])):
    with run_lock(folder):
        with Database.open(folder, REGTEST) as database:
            height = database.reader.top().height + 1
            revision = database.commit(batch(height, height))
        publish(folder)
    tell(told, revision)
"""
"""A writer that publishes a block more each time, far more often than runs do."""

READ = """
import sys, time
from pathlib import Path
from tests.unit.jobs.test_analyze_readers import END, read_whole
from utxoracle.store.folder import DataFolder
from utxoracle.store.snapshot import Snapshot
snapshot, told = Snapshot(DataFolder(Path(sys.argv[1]))), Path(sys.argv[2])
reads, seen, newest = 0, [0], 0
print("ready", flush=True)
while newest != END:
    newest = int(told.read_text())
    revision = read_whole(snapshot)
    assert revision >= max(newest, seen[-1]), (revision, newest, seen[-1])
    reads += 1
    if revision > seen[-1]:
        seen.append(revision)
    time.sleep(0.01)
print(reads, len(seen), seen[-1])
"""
"""A reader: what a publication that has ended made known must be there the next time it looks.

The pause leaves the writer something of a machine with few cores.
"""


def tell(path, revision):
    """Let the readers know that a publication has ended."""
    write_atomically(path, str(revision).encode(), durable=False)


def read_whole(snapshot):
    """Return the revision of a snapshot, after checking that its tables are of one commit."""
    reader = snapshot.reader()
    counts, top, window = reader.counts(), reader.top(), reader.latest_window()
    assert (counts.first_height, counts.last_height) == (top.height - counts.blocks + 1, top.height)
    assert (window.height, window.hash) == (top.height, top.hash)
    assert (counts.windows, counts.last_window) == (counts.blocks - 144, top.height)
    assert reader.points().height == top.height
    return reader.revision


def start(code, *arguments):
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)], stdout=subprocess.PIPE, text=True
    )


@pytest.fixture
def told(tmp_path: Path) -> Path:
    path = tmp_path / "told"
    tell(path, 0)
    return path


def test_no_read_fails_or_is_stale_during_many_publications(tmp_path, told):
    with simulated_node(OPTIONS) as node:
        node.show(TIP)
        appliance = Appliance(tmp_path / "data", node.mempool).init()
        appliance.analyze()
        readers = [start(READ, appliance.folder, told) for _ in range(READERS)]
        try:
            for reader in readers:
                assert reader.stdout.readline() == "ready\n"
            for _ in range(RUNS):
                node.grow()
                tell(told, appliance.analyze()["revision"])
            with start(WRITE, appliance.folder, told, PUBLICATIONS) as writer:
                assert writer.wait(timeout=SECONDS) == 0
            last = int(told.read_text())
            tell(told, END)
            for reader in readers:
                output, _ = reader.communicate(timeout=SECONDS)
                assert reader.returncode == 0
                reads, seen, newest = map(int, output.split())
                assert newest == last
                assert reads >= seen > RUNS
        finally:
            for reader in readers:
                kill(reader)
