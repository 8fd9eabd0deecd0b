import os
import subprocess
import sys

import duckdb
import pytest

from tests.conftest import ordinary_user
from tests.unit.store.samples import batch, block_row, window_row
from utxoracle.bitcoin.network import REGTEST
from utxoracle.errors import StorageError
from utxoracle.store.database import Database
from utxoracle.store.folder import DataFolder
from utxoracle.store.queries import Reader
from utxoracle.store.snapshot import Snapshot, publish, published_revision

TEMPORARY = ".utxoracle_snapshot.db.new"

ANSWER = """
import pathlib, sys
from utxoracle.store.folder import DataFolder
from utxoracle.store.snapshot import Snapshot
snapshot = Snapshot(DataFolder(pathlib.Path(sys.argv[1])))
for line in sys.stdin:
    reader = snapshot.reader()
    print(reader.revision, reader.top().height, reader.counts().windows, flush=True)
"""

WATCH = """
import pathlib, sys
from utxoracle.store.folder import DataFolder
from utxoracle.store.snapshot import Snapshot
snapshot = Snapshot(DataFolder(pathlib.Path(sys.argv[1])))
seen = [0]
print("ready", flush=True)
while seen[-1] < int(sys.argv[2]):
    reader = snapshot.reader()
    revision = reader.revision
    assert revision >= seen[-1], (revision, seen[-1])
    assert reader.top().height == reader.counts().blocks == reader.points().height == revision
    if revision > seen[-1]:
        seen.append(revision)
"""


def commit(folder, height):
    with Database.open(folder, REGTEST) as database:
        database.commit(batch(height, height))


def start(code, folder, *arguments):
    return subprocess.Popen(
        [sys.executable, "-c", code, folder.path, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def names(folder):
    return sorted(path.name for path in folder.path.iterdir())


def refusal(folder):
    with pytest.raises(StorageError) as caught:
        Snapshot(folder).reader()
    message = str(caught.value)
    assert "\n" not in message
    assert str(folder.snapshot) in message
    return message


def test_readers_see_what_was_published_and_nothing_newer(folder):
    snapshot = Snapshot(folder)
    assert snapshot.reader().top() is None
    commit(folder, 1)
    assert snapshot.reader().top() is None
    publish(folder)
    assert snapshot.reader().top() == block_row(1)
    snapshot.close()
    assert snapshot.reader().top() == block_row(1)
    snapshot.close()


def test_publishing_leaves_one_file_with_the_right_mode(folder):
    before = names(folder)
    old = os.umask(0o077)
    try:
        publish(folder)
    finally:
        os.umask(old)
    assert names(folder) == before
    assert folder.snapshot.stat().st_mode & 0o777 == 0o640


def test_what_a_killed_run_left_half_copied_goes(folder):
    (folder.path / TEMPORARY).write_bytes(b"half")
    (folder.path / "other.new").write_bytes(b"not ours")
    publish(folder)
    assert TEMPORARY not in names(folder)
    assert "other.new" in names(folder)


def test_commits_that_are_only_in_the_log_are_not_left_out(folder):
    folder.wal.write_bytes(b"commits")
    before = folder.snapshot.read_bytes()
    with pytest.raises(StorageError, match="is not published"):
        publish(folder)
    assert folder.snapshot.read_bytes() == before


def test_without_a_database_nothing_is_published(folder):
    folder.database.unlink()
    before = folder.snapshot.read_bytes()
    with pytest.raises(StorageError, match=r"can't publish .*: No such file"):
        publish(folder)
    assert folder.snapshot.read_bytes() == before
    assert TEMPORARY not in names(folder)


def test_a_full_disk_leaves_the_old_snapshot_and_nothing_else(folder):
    commit(folder, 1)
    before = names(folder), folder.snapshot.read_bytes()
    code = (
        "import pathlib, resource, sys\n"
        "from utxoracle.store.folder import DataFolder\n"
        "from utxoracle.store.snapshot import publish\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))\n"
        "publish(DataFolder(pathlib.Path(sys.argv[1])))\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, folder.path], capture_output=True, text=True, check=False
    )
    assert "StorageError: can't publish" in run.stderr.splitlines()[-1]
    assert "File too large; make room" in run.stderr.splitlines()[-1]
    assert (names(folder), folder.snapshot.read_bytes()) == before


def test_the_published_revision_is_read(folder):
    assert published_revision(folder) == 0
    commit(folder, 1)
    assert published_revision(folder) == 0
    publish(folder)
    assert published_revision(folder) == 1


@pytest.mark.parametrize(
    "content", [None, b"", b"junk", pytest.param(os.urandom(20_000), id="noise")]
)
def test_a_snapshot_that_can_not_be_read_has_no_revision_and_is_published_over(folder, content):
    folder.snapshot.unlink()
    if content is not None:
        folder.snapshot.write_bytes(content)
    assert published_revision(folder) is None
    publish(folder)
    assert published_revision(folder) == 0


def test_a_foreign_database_has_no_revision(folder):
    folder.snapshot.unlink()
    duckdb.connect(folder.snapshot).close()
    assert published_revision(folder) is None
    assert "is not a database of utxoracle" in refusal(folder)


def test_the_log_of_one_who_wrote_to_the_old_snapshot_goes(folder):
    code = (
        "import duckdb, os, sys; connection = duckdb.connect(sys.argv[1]); "
        "connection.execute(\"UPDATE meta SET value = '7' WHERE key = 'revision'\"); os._exit(0)"
    )
    subprocess.run([sys.executable, "-c", code, folder.snapshot], check=True)
    assert published_revision(folder) == 7
    publish(folder)
    assert published_revision(folder) == 0


def test_a_missing_snapshot_is_told(folder):
    folder.snapshot.unlink()
    assert f"is not there: run utxoracle analyze, which publishes {folder.database}" in refusal(
        folder
    )
    folder.database.unlink()
    assert "is not there: mount its disk, run utxoracle restore latest, or" in refusal(folder)


def test_a_snapshot_that_goes_is_told_and_one_that_comes_is_read(folder):
    snapshot = Snapshot(folder)
    snapshot.reader()
    folder.snapshot.unlink()
    with pytest.raises(StorageError, match="is not there"):
        snapshot.reader()
    publish(folder)
    assert snapshot.reader().revision == 0
    snapshot.close()


def test_junk_is_told_with_what_to_do(folder):
    folder.snapshot.write_bytes(b"junk")
    assert "run utxoracle analyze, which publishes it anew" in refusal(folder)


def test_the_last_good_copy_stays_in_use_while_the_newest_is_damaged(folder, tmp_path):
    commit(folder, 1)
    publish(folder)
    snapshot = Snapshot(folder)
    assert snapshot.reader().revision == 1
    mark = snapshot.mark
    (tmp_path / "junk").write_bytes(b"junk")
    (tmp_path / "junk").replace(folder.snapshot)
    for _ in range(2):
        assert snapshot.reader().revision == 1
        assert str(folder.snapshot) in snapshot.trouble
        assert snapshot.mark == mark
    commit(folder, 2)
    publish(folder)
    assert snapshot.reader().revision == 2
    assert snapshot.trouble is None
    assert snapshot.mark not in (mark, "")
    snapshot.close()


def test_the_last_good_copy_stays_in_use_while_the_newest_is_cut_short(folder, tmp_path):
    with Database.open(folder, REGTEST) as database:
        database.commit(batch(1, 3000))
    publish(folder)
    snapshot = Snapshot(folder)
    assert snapshot.reader().top() == block_row(3000)
    short = tmp_path / "short"
    short.write_bytes(folder.snapshot.read_bytes()[: -300 * 1024])
    short.replace(folder.snapshot)
    assert snapshot.reader().top() == block_row(3000)
    assert "has been cut short" in snapshot.trouble
    assert snapshot.reader().window(17) == window_row(17)
    snapshot.close()


def test_what_is_held_stays_as_it_is_whatever_is_published(folder):
    commit(folder, 1)
    publish(folder)
    snapshot = Snapshot(folder)
    snapshot.reader()
    held = snapshot.hold()
    commit(folder, 2)
    publish(folder)
    assert snapshot.reader().revision == 2
    snapshot.close()
    assert Reader(held).revision == 1
    assert Reader(held).top() == block_row(1)
    held.close()
    with pytest.raises(ValueError, match="no snapshot is in use"):
        snapshot.hold()


def test_the_copy_in_use_that_comes_back_is_no_trouble(folder, tmp_path):
    snapshot = Snapshot(folder)
    snapshot.reader()
    folder.snapshot.rename(tmp_path / "kept")
    folder.snapshot.write_bytes(b"junk")
    snapshot.reader()
    assert snapshot.trouble
    (tmp_path / "kept").replace(folder.snapshot)
    snapshot.reader()
    assert snapshot.trouble is None
    snapshot.close()


def test_a_snapshot_that_may_not_be_read_is_told(open_folder, empty_store):
    folder = DataFolder(open_folder)
    folder.snapshot.write_bytes((empty_store / folder.snapshot.name).read_bytes())
    folder.snapshot.chmod(0)
    with ordinary_user():
        assert "permission denied" in refusal(folder)


def test_a_path_with_quotes_is_only_a_path(folder, tmp_path):
    odd = DataFolder(folder.path.rename(tmp_path / 'it\'s; "odd" ü'))
    assert Snapshot(odd).reader().revision == 0


def test_a_new_snapshot_is_read_also_while_others_hold_the_old_one(folder):
    commit(folder, 1)
    publish(folder)
    held = duckdb.connect(folder.snapshot, read_only=True)
    one, other = Snapshot(folder), Snapshot(folder)
    assert one.reader().revision == other.reader().revision == 1
    commit(folder, 2)
    publish(folder)
    assert one.reader().revision == 2
    assert Snapshot(folder).reader().revision == 2
    assert other.reader().revision == 2
    assert held.execute("SELECT value FROM meta WHERE key = 'revision'").fetchone() == ("1",)
    held.close()
    one.close()
    other.close()


def test_a_snapshot_of_the_same_instant_is_a_new_one(folder):
    snapshot = Snapshot(folder)
    status = folder.snapshot.stat()
    assert snapshot.reader().revision == 0
    commit(folder, 1)
    publish(folder)
    os.utime(folder.snapshot, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert snapshot.reader().revision == 1
    snapshot.close()


@pytest.mark.parametrize("before_opening", [True, False])
def test_a_snapshot_that_comes_while_one_is_opened_is_read_in_its_place(
    folder, monkeypatch, before_opening
):
    original = Snapshot._open

    def replace_meanwhile(self):
        monkeypatch.undo()
        opened = None if before_opening else original(self)
        commit(folder, 1)
        publish(folder)
        return opened or original(self)

    monkeypatch.setattr(Snapshot, "_open", replace_meanwhile)
    snapshot = Snapshot(folder)
    assert snapshot.reader().revision == 1
    mark = snapshot.mark
    assert snapshot.reader().revision == 1
    assert snapshot.mark == mark
    commit(folder, 2)
    publish(folder)
    assert snapshot.reader().revision == 2
    snapshot.close()


def test_another_process_never_reads_an_old_snapshot(folder):
    with start(ANSWER, folder) as reader:
        for height in range(1, 4):
            commit(folder, height)
            publish(folder)
            reader.stdin.write("?\n")
            reader.stdin.flush()
            assert reader.stdout.readline() == f"{height} {height} {height}\n"
        reader.stdin.close()


def test_no_reader_fails_while_snapshots_are_replaced(folder):
    commit(folder, 1)
    publish(folder)
    last = 6
    readers = [start(WATCH, folder, str(last)) for _ in range(2)]
    for reader in readers:
        assert reader.stdout.readline() == "ready\n"
    for height in range(2, last + 1):
        commit(folder, height)
        publish(folder)
    for reader in readers:
        with reader:
            assert reader.wait(timeout=60) == 0
