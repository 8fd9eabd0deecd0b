"""What a killed writer and a full disk leave behind."""

import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from random import Random

import pytest

from tests.conftest import small_disk
from tests.unit.store.samples import (
    batch,
    block_row,
    day_row,
    points,
    run_row,
    stored_windows,
    window_row,
)
from utxoracle.bitcoin.network import REGTEST
from utxoracle.errors import StorageError
from utxoracle.store.database import Database, create_database
from utxoracle.store.folder import DataFolder
from utxoracle.store.last_run import file_marks
from utxoracle.store.lock import run_lock
from utxoracle.store.snapshot import Snapshot, publish, published_revision

KILLS = 4

WRITE = """
import pathlib, sys
from tests.unit.store.test_crashes import step
from utxoracle.bitcoin.network import REGTEST
from utxoracle.store.database import Database
from utxoracle.store.folder import DataFolder
from utxoracle.store.lock import run_lock
from utxoracle.store.snapshot import publish
folder = DataFolder(pathlib.Path(sys.argv[1]))
with run_lock(folder):
    while True:
        with Database.open(folder, REGTEST) as database:
            for _ in range(3):
                print(database.commit(step(database.reader.revision + 1)), flush=True)
        publish(folder)
"""


def step(revision):
    """The batch of a revision: the two newest blocks are replaced and two more come."""
    first = 2 * revision - 1
    return replace(
        batch(first, first + 3, kept_height=first - 1, branch=str(revision)),
        days=[day_row(revision, last_height=first - 7)],
        points=points(first + 3, count=20_000),
        run=run_row(float(revision), first + 3, blocks=4),
    )


def check_revision(reader, revision):
    """Check that everything is what the first `revision` steps make, and nothing else."""
    assert reader.revision == revision
    branches = {
        height: str(step_number)
        for step_number in range(1, revision + 1)
        for height in range(2 * step_number - 1, 2 * step_number + 3)
    }
    assert reader.blocks_from(0) == [block_row(*one) for one in branches.items()]
    assert stored_windows(reader) == [window_row(*one) for one in branches.items()]
    assert reader.counts().runs == reader.counts().days == revision
    if revision:
        assert reader.points().prices.tolist() == points(max(branches), 20_000).prices.tolist()


def test_a_killed_writer_loses_no_commit_and_tears_none(folder):
    draw = Random(3)
    for _ in range(KILLS):
        with subprocess.Popen(
            [sys.executable, "-c", WRITE, folder.path], stdout=subprocess.PIPE, text=True
        ) as writer:
            for _ in range(draw.randrange(1, 6)):
                acknowledged = int(writer.stdout.readline())
            time.sleep(draw.uniform(0, 0.06))
            os.kill(writer.pid, signal.SIGKILL)
            for line in writer.stdout:
                acknowledged = int(line)
        published = published_revision(folder)
        check_revision(Snapshot(folder).reader(), published)
        with run_lock(folder), Database.open(folder, REGTEST) as database:
            revision = database.reader.revision
            assert acknowledged <= revision <= acknowledged + 1
            assert published <= revision
            check_revision(database.reader, revision)
        publish(folder)
        assert published_revision(folder) == revision
        assert file_marks(folder)
        assert not list(folder.path.glob(".*"))


@pytest.fixture
def cramped(tmp_path):
    """A folder on a disk of 24 MB."""
    with small_disk(tmp_path, "24m") as disk:
        yield disk


def fill(folder, spare):
    filler = folder.path / "filler"
    filler.write_bytes(bytes(shutil.disk_usage(folder.path).free - spare))
    return filler


def test_a_full_disk_loses_nothing_and_work_goes_on_when_there_is_room(cramped, empty_store):
    folder = DataFolder(shutil.copytree(empty_store, cramped / "data"))
    with Database.open(folder, REGTEST) as database:
        database.commit(step(1))
    filler = fill(folder, spare=100_000)
    with pytest.raises(StorageError, match="No space left on device; make room"):
        publish(folder)
    check_revision(Snapshot(folder).reader(), 0)
    for _ in range(2):
        with (
            pytest.raises(StorageError, match=r"the disk of .* is full: make room") as caught,
            Database.open(folder, REGTEST) as database,
        ):
            database.commit(step(2))
        assert "\n" not in str(caught.value)
    with pytest.raises(StorageError, match="are needed: make room"):
        folder.check_space()
    filler.unlink()
    with Database.open(folder, REGTEST) as database:
        check_revision(database.reader, 1)
        database.commit(step(2))
    publish(folder)
    check_revision(Snapshot(folder).reader(), 2)


def test_a_disk_that_fills_up_while_the_log_is_folded_in_loses_nothing(cramped, empty_store):
    folder = DataFolder(shutil.copytree(empty_store, cramped / "data"))
    database = Database.open(folder, REGTEST)
    database.commit(step(1))
    filler = fill(folder, spare=0)
    with pytest.raises(StorageError, match=r"the disk of .* is full: make room"):
        database.close()
    assert file_marks(folder) is None
    with pytest.raises(StorageError, match="is not published"):
        publish(folder)
    filler.unlink()
    with Database.open(folder, REGTEST) as database:
        check_revision(database.reader, 1)
    assert not folder.wal.exists()


def test_a_disk_that_is_full_from_the_start_is_left_empty(cramped):
    folder = DataFolder(cramped)
    with pytest.raises(StorageError, match="are needed: make room"):
        create_database(folder, REGTEST)
    assert {path.name for path in cramped.iterdir()} == {"lock"}


def test_a_file_that_may_not_grow_is_one_line(folder):
    code = (
        "import pathlib, resource, sys\n"
        "from tests.unit.store.test_crashes import step\n"
        "from utxoracle.bitcoin.network import REGTEST\n"
        "from utxoracle.store.database import Database\n"
        "from utxoracle.store.folder import DataFolder\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))\n"
        "with Database.open(DataFolder(pathlib.Path(sys.argv[1])), REGTEST) as database:\n"
        "    database.commit(step(1))\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, folder.path], capture_output=True, text=True, check=False
    )
    assert run.stderr.splitlines()[-1].startswith("utxoracle.errors.StorageError: ")
    assert "may not grow any further" in run.stderr.splitlines()[-1]
    with Database.open(folder, REGTEST) as database:
        check_revision(database.reader, 0)
