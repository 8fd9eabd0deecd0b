"""What is not the predecessor's stays where it is, and what others left stops nothing."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import NOBODY, mounted
from tests.old_tree import MB, content_of, mysql_folder, price_database, price_job, stack, write
from tests.unit.jobs.migration.test_old_rows import add_rows_to_log
from tests.unit.jobs.test_migrate import applied, planned, stored
from utxoracle.bitcoin.network import REGTEST
from utxoracle.errors import StorageError, UsageError
from utxoracle.jobs.migrate import migrate
from utxoracle.jobs.migration.plan import How
from utxoracle.jobs.migration.transfer import NOTE
from utxoracle.settings import Settings
from utxoracle.store.database import create_database
from utxoracle.store.folder import DataFolder

APPLY_AS_ROOT = """
import os, sys
from pathlib import Path

class Closed:
    def find_spec(self, name, path, target=None):
        if os.geteuid() != 0:
            raise ImportError(f"{name} can't be read by this user")

from utxoracle.bitcoin.network import REGTEST
from utxoracle.jobs.migrate import migrate
from utxoracle.settings import Settings

sys.meta_path.insert(0, Closed())
root, base, machine = map(Path, sys.argv[1:])
done = migrate(Settings(), REGTEST, root=root, base=base, machine=machine, is_applied=True).done
print(done.imported.new)
"""
"""Takes a tree over where nobody but root can read Python."""

pytestmark = pytest.mark.usefixtures("plain_path")


@pytest.fixture
def live(tmp_path) -> Path:
    """A base folder in use: a stack, and a data folder of ours with a backup."""
    stack(tmp_path / "live" / "mempool")
    folder = DataFolder(tmp_path / "live" / "utxoracle" / "data")
    create_database(folder, REGTEST)
    (folder.path / "backups").mkdir()
    shutil.copy(folder.snapshot, folder.path / "backups" / "utxoracle_cache_2025-11-01.db")
    return tmp_path / "live"


def test_our_own_database_stays_where_it_is_even_without_its_snapshot(live, machine):
    data = DataFolder(live / "utxoracle" / "data")
    data.snapshot.unlink()
    (backup,) = (data.path / "backups").iterdir()
    before = data.database.stat().st_ino
    migration = applied(live, live, machine)
    assert {step.how for step in migration.plan.steps} == {How.STAY}
    assert data.database.stat().st_ino == before
    assert data.snapshot.exists()
    assert backup.exists()
    assert not (data.path / "predecessor").exists()


def test_our_own_database_is_never_taken_elsewhere(live, machine, base):
    before = content_of(live)
    database = live / "utxoracle" / "data" / "utxoracle_cache.db"
    told = f"{database} is a database of this program: "
    assert any(refusal.startswith(told) for refusal in planned(live, base, machine).refusals)
    with pytest.raises(StorageError, match=r"nothing was moved: .*docs/operations.md, Moving"):
        applied(live, base, machine)
    assert content_of(live) == before
    assert [*base.iterdir()] == []


def test_the_rows_of_a_log_are_imported_that_a_killed_run_had_moved_alone(tmp_path, machine, base):
    database = price_database(tmp_path / "apps" / "utxoracle" / "data" / "utxoracle_cache.db")
    add_rows_to_log(database)
    log = database.with_name("utxoracle_cache.db.wal")
    moved = base / "utxoracle" / "data" / "predecessor" / "utxoracle" / "data"
    moved.mkdir(parents=True)
    log.rename(moved / log.name)
    migration = applied(tmp_path / "apps", base, machine)
    assert len(stored(base)) == len(migration.prices.rows) == migration.done.imported.new == 4


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
def test_who_imports_rows_need_not_be_able_to_read_python(open_folder):
    root, base = price_job(open_folder / "apps" / "utxoracle").parent, open_folder / "new"
    (open_folder / "machine").mkdir()
    (base / "utxoracle" / "data").mkdir(parents=True)
    os.chown(base / "utxoracle" / "data", NOBODY, NOBODY)
    command = [sys.executable, "-c", APPLY_AS_ROOT, root, base, open_folder / "machine"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "8\n"), done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
def test_a_data_folder_that_its_owner_can_not_reach_is_told_before_anything_moves(
    open_folder, machine
):
    root, base = price_job(open_folder / "apps" / "utxoracle").parent, open_folder / "new"
    (base / "utxoracle" / "data").mkdir(parents=True)
    os.chown(base / "utxoracle" / "data", NOBODY, NOBODY)
    base.chmod(0o700)
    before = content_of(open_folder)
    with pytest.raises(StorageError, match=f"{base}/utxoracle/data can't be used: its owner may"):
        applied(root, base, machine)
    assert content_of(open_folder) == before


def test_another_password_that_is_there_stops_nothing(tmp_path, machine, base):
    kept = write(base / "mempool" / "config" / "secrets" / "db-password", "another")
    migration = applied(stack(tmp_path / "mempool-stack"), base, machine)
    assert kept.read_text() == "another"
    (remark,) = [one for one in migration.done.remarks if str(kept) in one]
    assert "differs from the old setting, and is kept" in remark
    assert (base / "mempool" / "data" / "mysql" / "ibdata1").exists()


def test_a_link_on_the_way_to_the_passwords_is_refused_before_anything_moves(
    tmp_path, machine, base
):
    root = stack(tmp_path / "mempool-stack")
    (tmp_path / "elsewhere").mkdir()
    (base / "mempool").symlink_to(tmp_path / "elsewhere")
    before = content_of(tmp_path)
    refusal = f"{base}/mempool is a link, but passwords go below it: put a folder in its place"
    assert refusal in planned(root, base, machine).refusals
    with pytest.raises(StorageError, match=f"nothing was moved: .*{base}/mempool is a link"):
        applied(root, base, machine)
    assert content_of(tmp_path) == before


def test_a_disk_without_room_for_the_note_is_one_line_and_gone_on_from(tmp_path, machine):
    with mounted(tmp_path / "disk", "-t", "tmpfs", "-o", f"size={120 * MB}", "tmpfs") as base:
        root = price_job(base / "apps" / "utxoracle").parent
        filler = base / "filler"
        with filler.open("wb", buffering=0) as file, pytest.raises(OSError, match="space"):
            while file.write(bytes(MB)) == MB:
                pass
            file.write(bytes(MB))
        with pytest.raises(StorageError, match=f"taking over {root} stopped at .*: No space left"):
            applied(root, base, machine)
        filler.unlink()
        applied(root, base, machine)
        assert len(stored(base)) == 8


def test_a_name_that_is_not_utf_8_is_told_and_its_rows_are_skipped(tmp_path, machine, base):
    root = price_job(tmp_path / "apps" / "utxoracle").parent
    strange = root / "utxoracle" / "data" / os.fsdecode(b"utxoracle_\xff.db")
    shutil.copy(root / "utxoracle" / "data" / "utxoracle_cache.db", strange)
    migration = applied(root, base, machine)
    assert len(stored(base)) == 8
    assert r"utxoracle_\xff.db: its name is not UTF-8" in " ".join(migration.prices.remarks)
    assert b"utxoracle_\xff.db\n" in (root / NOTE).read_bytes().replace(b"'", b"")


@pytest.mark.parametrize(
    ("name", "scheduled"),
    [("link", "apps"), ("folder/../apps", "apps"), ("folder/../link", "link")],
)
def test_a_schedule_is_found_however_the_old_folder_is_named(
    tmp_path, machine, base, name, scheduled
):
    root = price_job(tmp_path / "apps" / "utxoracle").parent
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(root)
    line = f"* * * * * x {tmp_path / scheduled}/utxoracle/run.sh\n"
    cron = write(machine / "etc" / "cron.d" / "job", line)
    (refusal,) = planned(tmp_path / name, base, machine).refusals
    assert refusal.startswith(f"cron still runs it: {cron}")


def test_a_base_beside_the_disk_that_must_be_mounted_is_refused(tmp_path, machine, base):
    settings = Settings(mount_point="/proc")
    with pytest.raises(UsageError, match=f"{base} is not on the disk mounted at /proc: choose"):
        migrate(settings, REGTEST, root=tmp_path, base=base, machine=machine)


def test_what_an_interrupted_copy_leaves_is_told_once_it_is_renamed(tmp_path, machine, base):
    source = mysql_folder(tmp_path / "mempool-stack" / "data" / "mysql")
    target = base / "mempool" / "data" / "mysql"
    left = write(target.with_name("mysql.in-progress") / "ibdata1", b"").parent
    journal = [{"target": str(target), "source": str(source), "changed": 1}]
    write(base / "utxoracle" / "config" / "migration.json", json.dumps(journal))
    (step,) = applied(tmp_path / "mempool-stack", base, machine).plan.steps
    assert step.how is How.RENAME
    assert f"{left} is left of a copy that was interrupted" in step.remarks[-1]


def test_a_file_is_no_old_folder(tmp_path, machine, base):
    with pytest.raises(UsageError, match=r"file is not a folder: name the one that it is in"):
        planned(write(tmp_path / "file", b""), base, machine)
