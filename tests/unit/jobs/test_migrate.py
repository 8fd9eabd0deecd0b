"""A tree that was made by hand is taken over, whole and once, or not touched."""

import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from tests.conftest import NOBODY, mounted, ordinary_user
from tests.old_tree import (
    ENV_FILE,
    SECRETS,
    apps,
    cache_folder,
    checkout,
    content_of,
    electrs_folder,
    mysql_folder,
    price_database,
    price_job,
    price_rows,
    stack,
    write,
)
from utxoracle.bitcoin.network import REGTEST
from utxoracle.errors import StorageError, UsageError
from utxoracle.jobs.migrate import Migration, migrate
from utxoracle.jobs.migration.afterwards import archive_command
from utxoracle.jobs.migration.kinds import Kind
from utxoracle.jobs.migration.plan import How
from utxoracle.jobs.migration.transfer import NOTE
from utxoracle.settings import Settings

MB = 1 << 20

pytestmark = pytest.mark.usefixtures("plain_path")


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Path:
    """A whole tree, to be copied: to make databases anew takes longer."""
    return apps(tmp_path_factory.mktemp("built") / "apps")


@pytest.fixture
def root(built, tmp_path) -> Path:
    """The folder of a stack and a price job."""
    return shutil.copytree(built, tmp_path / "apps")


def planned(root: Path, base: Path, machine: Path, **options) -> Migration:
    return migrate(Settings(), REGTEST, root=root, base=base, machine=machine, **options)


def applied(root: Path, base: Path, machine: Path, **options) -> Migration:
    return planned(root, base, machine, is_applied=True, **options)


def stored(base: Path) -> list[tuple[object, ...]]:
    snapshot = base / "utxoracle" / "data" / "utxoracle_snapshot.db"
    with duckdb.connect(str(snapshot), read_only=True) as connection:
        return connection.execute(
            "SELECT origin, date, exchange_price, utxoracle_price, tx_count "
            "FROM predecessor_prices ORDER BY origin, date"
        ).fetchall()


def expected(origin: str, days: int) -> list[tuple[object, ...]]:
    return [(origin, row[0], row[1], row[2], row[6]) for row in price_rows(days)]


APPS_ROWS = [
    *expected("utxoracle/data/backups/utxoracle_cache_2025-11-02.db", 1),
    *expected("utxoracle/data/backups/utxoracle_cache_2025-11-03.db", 2),
    *expected("utxoracle/data/utxoracle_cache.db", 5),
]


def test_a_dry_run_writes_nothing(root, tmp_path, machine, base):
    before = content_of(tmp_path)
    migration = planned(root, base, machine)
    assert content_of(tmp_path) == before
    assert migration.done is None
    assert migration.refusals == []
    assert len(migration.prices.rows) == 8
    assert "storage.base" in migration.translation.nix


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_owners_and_the_kind_of_index_are_printed_but_not_root_and_not_the_cache_s(
    tmp_path, machine, base
):
    root = tmp_path / "stack"
    folders = mysql_folder(root / "mysql"), electrs_folder(root / "electrs"), root / "cache"
    cache_folder(folders[-1])
    for uid, folder in zip((0, 1001, 999), folders, strict=True):
        for path in (folder, *folder.rglob("*")):
            os.chown(path, uid, uid)
    nix = planned(root, base, machine).translation.nix
    assert ('  mempool.electrs = {\n    uid = 1001;\n    mode = "esplora";\n  };\n') in nix


def test_within_a_disk_everything_is_moved_and_its_rows_are_imported(root, machine, base):
    before = content_of(root)
    migration = applied(root, base, machine)
    assert migration.done.imported.new == 8
    assert stored(base) == APPS_ROWS
    for name in ("mysql", "electrs", "cache"):
        old = f"mempool-stack/data/{name}/"
        wanted = {key.removeprefix(old): value for key, value in before.items() if old in key}
        assert content_of(base / "mempool" / "data" / name) == wanted
    assert (base / "mempool" / "logs" / "predecessor" / "setup.log").exists()
    assert (base / "utxoracle" / "logs" / "predecessor" / "cron.log").exists()
    assert str(base / "mempool" / "data" / "mysql") in (root / NOTE).read_text()
    assert (root / "mempool-stack" / "docker-compose.yml").exists()


def test_across_disks_everything_is_copied_and_the_old_stays(tmp_path, machine, other_disk):
    root = apps(tmp_path / "apps", mysql_size=50 * MB)
    before = content_of(root)
    told: list[tuple[int, int]] = []
    migration = applied(
        root, other_disk, machine, progress=lambda done, total: told.append((done, total))
    )
    assert content_of(root) == before
    assert {step.how for step in migration.plan.steps} == {How.COPY}
    assert stored(other_disk) == APPS_ROWS
    assert told[-1] == (2 * migration.plan.bytes_to_copy, 2 * migration.plan.bytes_to_copy)
    copied = other_disk / "mempool" / "data" / "mysql" / "ibdata1"
    assert copied.stat().st_size == 50 * MB
    assert copied.stat().st_blocks * 512 < MB


@pytest.mark.parametrize("crosses", [False, True])
def test_a_second_run_finds_everything_done(root, machine, base, other_disk, crosses):
    base = other_disk if crosses else base
    applied(root, base, machine)
    before = content_of(base)
    again = applied(root, base, machine)
    assert (again.done.imported.new, again.done.imported.unchanged) == (0, 8)
    assert {step.how for step in again.plan.steps} <= {How.DONE}
    after = content_of(base)
    for path in ("utxoracle/data/lock", "utxoracle/data"):
        before.pop(path)
        after.pop(path)
    assert after == before


def test_passwords_go_to_files_and_nowhere_else(root, machine, base):
    migration = applied(root, base, machine)
    held = b"".join(path.read_bytes() for path in migration.done.secrets)
    for secret in SECRETS:
        assert secret.encode() in held
        assert secret not in repr(migration)
    for path in migration.done.secrets:
        assert path.is_relative_to(base / "mempool" / "config" / "secrets")
        assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("part", ["mempool", "mempool/docker"])
def test_a_checkout_of_mempool(tmp_path, machine, base, part):
    checkout(tmp_path / "src" / "mempool")
    applied(tmp_path / "src" / part, base, machine)
    assert (base / "mempool" / "data" / "mysql" / "ibdata1").exists()
    assert (base / "mempool" / "data" / "electrs" / "mainnet").exists()
    assert (base / "mempool" / "data" / "cache" / "cache.json").exists()
    assert stored(base) == []


def test_a_stack_then_a_price_job_of_another_disk(tmp_path, machine, base):
    applied(stack(tmp_path / "mempool-stack"), base, machine)
    applied(price_job(tmp_path / "UTXOracle"), base, machine)
    assert (base / "mempool" / "data" / "mysql").exists()
    assert len(stored(base)) == 8


def test_stray_databases_are_found_where_they_fell_and_where_the_settings_say(
    root, tmp_path, machine, base
):
    fallen = price_database(machine / "tmp" / "utxoracle_backup.duckdb", price_rows(1))
    said = price_database(tmp_path / "elsewhere.duckdb", price_rows(2))
    write(root / "utxoracle" / ".env", f"{ENV_FILE}DUCKDB_BACKUP_PATH={said}\n")
    named = price_database(tmp_path / "named.bin", price_rows(3))
    applied(root, base, machine, also=[named])
    for path, days in ((fallen, 1), (said, 2), (named, 3)):
        assert [row for row in stored(base) if row[0] == str(path)[1:]] == expected(
            str(path)[1:], days
        )


def test_the_new_tree_may_be_where_the_old_one_was(tmp_path, machine):
    """The module's layout is that of the old guide, so this is what many will do."""
    base = apps(tmp_path / "apps", name="mempool")
    mysql = content_of(base / "mempool" / "data" / "mysql")
    applied(base, base, machine)
    assert stored(base) == APPS_ROWS
    assert content_of(base / "mempool" / "data" / "mysql") == mysql
    again = applied(base, base, machine)
    assert again.done.imported.new == 0
    assert {step.how for step in again.plan.steps} == {How.STAY}
    archive = archive_command(again.plan)
    subprocess.run(["/bin/sh", "-c", archive], check=True)
    packed = subprocess.run(
        ["tar", "--list", "--file", f"{base}-predecessor.tar.gz"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "apps/mempool/docker-compose.yml" in packed
    assert "ibdata1" not in packed
    assert "utxoracle_cache.db" not in packed
    assert "secrets" not in packed


def test_an_in_place_run_that_was_killed_before_the_import_is_gone_on_with(tmp_path, machine):
    base = apps(tmp_path / "apps", name="mempool")
    old = base / "utxoracle" / "data"
    moved = old / "predecessor" / "utxoracle" / "data"
    moved.mkdir(parents=True)
    (old / "utxoracle_cache.db").rename(moved / "utxoracle_cache.db")
    applied(base, base, machine)
    assert stored(base) == APPS_ROWS


def test_the_command_that_archives_the_old_tree_holds_all_that_is_left(
    tmp_path, machine, other_disk
):
    root = apps(tmp_path / "old apps", mysql_size=20 * MB)
    migration = applied(root, other_disk, machine)
    subprocess.run(["/bin/sh", "-c", archive_command(migration.plan)], check=True)
    archive = tmp_path / "old apps-predecessor.tar.gz"
    assert archive.stat().st_size < 10 * MB
    (tmp_path / "unpacked").mkdir()
    subprocess.run(["tar", "-xzf", archive, "-C", tmp_path / "unpacked"], check=True)
    unpacked = content_of(tmp_path / "unpacked" / "old apps")
    assert {key: value[0] for key, value in unpacked.items()} == {
        key: value[0] for key, value in content_of(root).items()
    }


def test_whatever_is_in_the_way_is_told_at_once_and_nothing_is_done(root, machine, base):
    cron = write(machine / "etc" / "cron.d" / "utxoracle", "*/10 * * * * x daily_analysis.py\n")
    write(base / "mempool" / "data" / "electrs" / "junk", b"")
    before = content_of(root)
    with (root / "mempool-stack" / "data" / "mysql" / "ibdata1").open() as file:
        holder = subprocess.Popen(["sleep", "60"], stdin=file)
    try:
        dry = planned(root, base, machine)
        with pytest.raises(StorageError) as refused:
            applied(root, base, machine)
    finally:
        holder.kill()
        holder.wait()
    assert content_of(root) == before
    assert not (base / "utxoracle").exists()
    assert len(dry.refusals) == 3
    for part in (
        f"sleep (pid {holder.pid}, user ",
        f"cron still runs it: {cron}, line 1: rm {cron}",
        f"{base}/mempool/data/electrs holds data already",
    ):
        assert part in str(refused.value)


def test_a_database_that_is_being_written_to_is_refused(root, machine, base):
    code = (
        "import duckdb, sys; connection = duckdb.connect(sys.argv[1]); print(flush=True); input()"
    )
    command = [sys.executable, "-c", code, str(root / "utxoracle/data/utxoracle_cache.db")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as writer:
        writer.stdout.readline()
        try:
            with pytest.raises(StorageError, match=f"pid {writer.pid}"):
                applied(root, base, machine)
        finally:
            writer.kill()
    assert not (base / "utxoracle").exists()


def test_a_disk_that_is_too_small_is_refused_before_anything(root, tmp_path, machine):
    with mounted(tmp_path / "small", "-t", "tmpfs", "-o", f"size={40 * MB}", "tmpfs") as base:
        with pytest.raises(StorageError, match=r"has 41.9 MB free, but .* are needed: make room"):
            applied(root, base, machine)
        assert [*base.iterdir()] == []


def test_a_disk_that_fills_up_meanwhile_is_one_line_and_gone_on_from(root, tmp_path, machine):
    whole = write(root / "mempool-stack" / "data" / "electrs" / "mainnet" / "a", os.urandom(MB))
    with mounted(tmp_path / "disk", "-t", "tmpfs", "-o", f"size={120 * MB}", "tmpfs") as base:
        filler = base / "filler"

        def fill(done: int, total: int) -> None:
            if not filler.exists() and (base / "mempool/data/electrs.in-progress").exists():
                with filler.open("wb", buffering=0) as file, pytest.raises(OSError, match="space"):
                    while True:
                        file.write(bytes(MB))
                        if not file.tell():
                            break

        with pytest.raises(StorageError, match=r"No space left on device; nothing is lost"):
            applied(root, base, machine, progress=fill)
        filler.unlink()
        applied(root, base, machine)
        assert (base / "mempool/data/electrs/mainnet/a").read_bytes() == whole.read_bytes()
        assert stored(base) == APPS_ROWS


def test_two_folders_of_a_kind_are_a_choice(root, machine, base):
    shutil.copytree(root / "mempool-stack/data/mysql", root / "mempool-stack/mysql/data")
    with pytest.raises(UsageError, match="there are 2 folders with mysql data"):
        planned(root, base, machine)
    chosen = {Kind.MYSQL: root / "mempool-stack/mysql/data"}
    applied(root, base, machine, chosen=chosen)
    assert (root / "mempool-stack/data/mysql/ibdata1").exists()
    assert (base / "mempool/data/mysql/ibdata1").exists()


def test_a_folder_that_holds_nothing_known_is_told(tmp_path, machine, base):
    write(tmp_path / "folder" / "file", b"")
    with pytest.raises(UsageError, match="folder holds nothing that is known: name the folder"):
        planned(tmp_path / "folder", base, machine)


def test_a_base_that_is_not_there_or_not_mounted_is_told(root, tmp_path, machine, base):
    with pytest.raises(UsageError, match=r"there is no folder .*/nowhere to take it to"):
        planned(root, tmp_path / "nowhere", machine)
    settings = Settings(mount_point=str(base))
    with pytest.raises(StorageError, match=f"{base} is not mounted: mount it"):
        migrate(settings, REGTEST, root=root, base=base, machine=machine)


def test_two_at_once_are_refused(root, machine, base):
    handle = os.open(base, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        with pytest.raises(StorageError, match=r"another migration to .* is going on: wait for it"):
            applied(root, base, machine)
        assert planned(root, base, machine).refusals == []
    finally:
        os.close(handle)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
@pytest.mark.parametrize(
    "closed",
    ["new", "new/utxoracle/data", "stack", "stack/data/mysql"],
)
def test_what_this_user_may_not_look_into_is_named(open_folder, closed):
    (open_folder / "new" / "utxoracle" / "data").mkdir(parents=True)
    mysql_folder(open_folder / "stack" / "data" / "mysql")
    (open_folder / closed).chmod(0o700)
    with ordinary_user(), pytest.raises(StorageError) as refused:
        planned(open_folder / "stack", open_folder / "new", open_folder)
    assert str(refused.value) == (
        f"{open_folder}/{closed} can't be looked into by this user: run it as root"
    )


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
def test_what_root_imports_belongs_to_the_owner_of_the_data_folder(open_folder):
    root = apps(open_folder / "apps")
    (root / "utxoracle" / "data" / "utxoracle_cache.db").chmod(0o600)
    base, machine = open_folder / "new", open_folder / "machine"
    (machine / "tmp").mkdir(parents=True)
    (base / "utxoracle" / "data").mkdir(parents=True)
    os.chown(base / "utxoracle" / "data", NOBODY, NOBODY)
    applied(root, base, machine)
    assert os.geteuid() == 0
    for name in ("utxoracle_cache.db", "utxoracle_snapshot.db", "lock", "scans", "predecessor"):
        assert (base / "utxoracle" / "data" / name).stat().st_uid == NOBODY
    assert stored(base) == APPS_ROWS
