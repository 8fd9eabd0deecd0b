"""Storage that fails a run: one line, exit code 5, and nothing is worse than before."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from tests.appliance import Appliance, Node, one_line, simulated_node
from tests.conftest import NOBODY, small_disk
from tests.stored import stored_by, stored_in

OPTIONS = "seed=4,days=5,blocks_per_day=60,transactions=20,start=2025-01-01"
TIP = 960
NEW = 2
"""Blocks that the node has and the folder hasn't."""

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user, or mount")


@pytest.fixture(scope="module")
def node() -> Iterator[Node]:
    with simulated_node(OPTIONS) as node:
        yield node


@pytest.fixture(scope="module")
def filled(node: Node, tmp_path_factory: pytest.TempPathFactory) -> Appliance:
    """A folder that lacks the newest blocks; nothing may change it."""
    node.show(TIP)
    appliance = Appliance(tmp_path_factory.mktemp("filled") / "data", node.mempool).init()
    appliance.analyze()
    node.grow(NEW)
    return appliance


@pytest.fixture
def appliance(filled: Appliance, tmp_path: Path) -> Appliance:
    return filled.copy(tmp_path / "data")


@pytest.fixture
def cramped(filled: Appliance, tmp_path: Path) -> Iterator[Appliance]:
    """A folder that is a disk of its own, of 96 MB: enough for a run, and soon filled."""
    with small_disk(tmp_path / "disk", "96m") as disk:
        yield filled.copy(disk / "data")


@pytest.fixture
def guest(filled: Appliance, open_folder: Path) -> Appliance:
    """A folder of this user, whose commands are run by one without any rights."""
    appliance = filled.copy(open_folder / "data")
    # Processes can't be started by a user who can't read the Python that runs the tests.
    appliance.environment["UTXORACLE_WORKERS"] = "1"
    appliance.is_run_by_nobody = os.geteuid() == 0
    return appliance


def content(appliance: Appliance) -> list[bytes | None]:
    """Return what is in database and snapshot, None for what is no file."""
    files = appliance.database, appliance.snapshot
    return [path.read_bytes() if path.is_file() else None for path in files]


def refused_unchanged(appliance: Appliance) -> str:
    before = content(appliance)
    line = appliance.refused(5, "analyze")
    assert content(appliance) == before
    return line


def assert_goes_on(appliance: Appliance) -> None:
    """Check that the next run is a good one and leaves everything stored and published."""
    assert appliance.analyze()["caught_up"]
    stored = stored_in(appliance.snapshot)
    assert max(stored.blocks) == TIP + NEW
    assert stored == stored_in(appliance.database)
    assert not list(appliance.folder.glob("**/.*"))


def alter(path: Path, statement: str) -> None:
    with duckdb.connect(str(path)) as connection:
        connection.execute(statement)


@pytest.mark.parametrize("kept", [0, 4096, 12_288, -262_144, -1])
def test_a_database_that_was_cut_short_is_left_alone(appliance, kept):
    os.truncate(appliance.database, kept % appliance.database.stat().st_size)
    line = refused_unchanged(appliance)
    assert "utxoracle_cache.db can't be used and is left as it is" in line
    assert appliance.last_run()["exit_code"] == 5
    assert appliance.last_run()["message"] in line


def test_what_the_message_about_a_junk_database_says_puts_it_in_order(appliance):
    appliance.database.write_bytes(os.urandom(50_000))
    line = refused_unchanged(appliance)
    assert "not a valid DuckDB database" in line
    advice = re.search(r"run utxoracle (restore latest), or .* utxoracle (restore .*)\n", line)
    assert advice
    assert "there is no backup" in appliance.refused(5, *advice[1].split())
    assert appliance.run(*advice[2].split()).returncode == 0
    assert_goes_on(appliance)


def test_a_folder_as_a_database_is_left_alone(appliance):
    appliance.database.unlink()
    appliance.database.mkdir()
    assert "Is a directory" in refused_unchanged(appliance)


def test_a_database_of_something_else_is_left_alone(appliance):
    appliance.database.unlink()
    alter(appliance.database, "CREATE TABLE addresses (name TEXT)")
    assert "is not a database of utxoracle" in refused_unchanged(appliance)


def test_a_database_of_another_network_is_left_alone(appliance):
    alter(appliance.database, "UPDATE meta SET value = 'signet' WHERE key = 'network'")
    line = refused_unchanged(appliance)
    assert (
        "holds the network 'signet', not 'regtest': set UTXORACLE_NETWORK or --network to signet"
        in line
    )


def test_a_database_of_a_newer_version_is_left_alone(appliance):
    alter(appliance.database, "INSERT INTO schema_migrations VALUES (999, 'later', now())")
    line = refused_unchanged(appliance)
    assert "was written by a newer utxoracle (schema 999" in line
    assert "use that version" in line


def test_a_missing_database_is_not_made_anew_by_itself(appliance):
    appliance.database.unlink()
    line = refused_unchanged(appliance)
    assert "utxoracle_cache.db is not there: mount its disk, run utxoracle restore" in line
    assert "is gone, but its copy is there: cp " in appliance.refused(5, "init-db")


@pytest.mark.parametrize(
    "command", [["init-db"], ["analyze"], ["analyze", "--dry-run"], ["backup"]]
)
@pytest.mark.parametrize("is_there", [False, True])
def test_nothing_is_made_or_read_where_the_disk_is_not_mounted(
    filled, node, tmp_path, command, is_there
):
    point = tmp_path / "nvme"
    appliance = Appliance(point / "data", node.mempool)
    if is_there:
        # What was once made on the root disk by mistake.
        filled.copy(appliance.folder)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    line = appliance.refused(5, *command, UTXORACLE_MOUNT_POINT=str(point))
    assert f"{point} is not mounted: mount it, or correct UTXORACLE_MOUNT_POINT" in line
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


@pytest.mark.parametrize("is_there", [False, True])
def test_a_folder_that_is_not_initialised_is_told_and_not_filled(node, tmp_path, is_there):
    appliance = Appliance(tmp_path / "data", node.mempool)
    if is_there:
        appliance.folder.mkdir()
    line = appliance.refused(5, "analyze")
    assert str(appliance.folder) in line
    assert "mount its disk, run utxoracle restore latest, or utxoracle init-db" in line
    assert not list(appliance.folder.rglob("*.db"))
    appliance.init()


def test_a_file_in_the_place_of_the_folder_is_told(node, tmp_path):
    (tmp_path / "data").touch()
    appliance = Appliance(tmp_path / "data", node.mempool)
    for command in "analyze", "init-db":
        assert "data is not a folder; choose another name" in appliance.refused(5, command)


@pytest.mark.parametrize("junk", [b"", pytest.param(os.urandom(300_000), id="noise"), None])
def test_a_snapshot_that_is_damaged_or_missing_is_published_anew(appliance, junk):
    appliance.snapshot.unlink()
    if junk is not None:
        appliance.snapshot.write_bytes(junk)
    assert_goes_on(appliance)


def test_a_damaged_snapshot_heals_also_when_no_block_has_come(appliance):
    assert_goes_on(appliance)
    appliance.snapshot.write_bytes(b"junk")
    assert_goes_on(appliance)


def test_a_folder_as_a_snapshot_keeps_nothing_from_being_stored(appliance):
    appliance.snapshot.unlink()
    appliance.snapshot.mkdir()
    assert "can't publish" in appliance.refused(5, "analyze")
    appliance.snapshot.rmdir()
    assert_goes_on(appliance)


@pytest.mark.parametrize("junk", [b"", b'{"caught_up": true}'])
def test_a_damaged_word_of_the_last_run_is_no_obstacle(appliance, junk):
    (appliance.folder / "last_run.json").write_bytes(junk)
    assert_goes_on(appliance)
    assert appliance.last_run()["caught_up"]


def test_a_folder_in_the_place_of_last_run_json_is_told_when_all_is_stored(appliance):
    path = appliance.folder / "last_run.json"
    path.unlink()
    path.mkdir()
    assert "last_run.json is not a plain file" in appliance.refused(5, "analyze")
    assert max(stored_in(appliance.snapshot).blocks) == TIP + NEW
    path.rmdir()
    assert_goes_on(appliance)


def test_a_file_in_the_place_of_the_scans_is_told(appliance):
    shutil.rmtree(appliance.folder / "scans")
    (appliance.folder / "scans").touch()
    assert "scans: File exists" in refused_unchanged(appliance)
    (appliance.folder / "scans").unlink()
    assert_goes_on(appliance)


def test_a_folder_that_may_not_be_written_is_told(guest):
    guest.folder.chmod(0o555)
    line = refused_unchanged(guest)
    assert f"{guest.folder} is not readable and writable for user" in line
    guest.folder.chmod(0o755)
    guest.is_run_by_nobody = False
    assert_goes_on(guest)


def test_scans_that_may_not_be_written_are_told(guest):
    for path in guest.folder, guest.database, guest.snapshot, guest.folder / "lock":
        path.chmod(0o777)
    (guest.folder / "scans").chmod(0o555)
    assert "its folder is not writable" in refused_unchanged(guest)


@as_root
def test_root_is_kept_from_working_in_the_folder_of_another_user(appliance):
    os.chown(appliance.folder, NOBODY, NOBODY)
    line = refused_unchanged(appliance)
    assert "belongs to user" in line
    assert "run it as that user, with its settings: sudo -u " in line
    assert "belongs to user" in appliance.refused(5, "init-db")


def test_a_read_only_disk_is_told(cramped):
    for mode in "ro", "rw":
        subprocess.run(["mount", "-o", f"remount,{mode}", str(cramped.folder.parent)], check=True)
        if mode == "ro":
            assert "is on a read-only disk: mount it writable" in refused_unchanged(cramped)
    assert_goes_on(cramped)


def test_a_run_does_not_begin_on_a_disk_that_is_nearly_full(cramped):
    filler = cramped.folder / "filler"
    filler.write_bytes(bytes(40 << 20))
    assert re.search(r"has \d+ MB free, but \d+ MB are needed", refused_unchanged(cramped))
    filler.unlink()
    assert_goes_on(cramped)


@pytest.mark.parametrize(
    ("moment", "is_committed", "message"),
    [
        (f"os.rename {TIP + 1}_*.npz", False, "No space left on device; check the folder"),
        (f"os.rename {TIP + NEW}_*.npz", False, "utxoracle_cache.db is full: make room"),
        ("os.[ls]*dir scans", True, "utxoracle_cache.db is full: make room"),
        ("open .utxoracle_snapshot.db.new", True, "No space left on device; make room"),
    ],
)
def test_a_disk_that_fills_up_loses_nothing(cramped, tmp_path, moment, is_committed, message):
    published = cramped.snapshot.read_bytes()
    line = one_line(cramped.run_disturbed("fill", moment, "analyze"), 5)
    assert message in line
    stored = stored_by(cramped, tmp_path / "copy")
    assert max(stored.blocks) == (TIP + NEW if is_committed else TIP)
    assert cramped.snapshot.read_bytes() == published
    for filler in cramped.folder.rglob("filler"):
        filler.unlink()
    assert_goes_on(cramped)


@pytest.mark.parametrize(
    ("moment", "message"),
    [
        ("open lock", "utxoracle_cache.db may not grow any further: lift its limit"),
        ("open .utxoracle_snapshot.db.new", "utxoracle_snapshot.db: File too large; make room"),
    ],
)
def test_a_limit_on_the_length_of_files_loses_nothing(appliance, tmp_path, moment, message):
    published = appliance.snapshot.read_bytes()
    assert message in one_line(appliance.run_disturbed("limit", moment, "analyze"), 5)
    assert max(stored_by(appliance, tmp_path / "copy").blocks) == TIP + NEW
    assert appliance.snapshot.read_bytes() == published
    assert_goes_on(appliance)


@pytest.mark.parametrize("pages", [1, 3])
def test_a_snapshot_that_was_cut_short_is_published_anew(appliance, pages):
    assert_goes_on(appliance)
    os.truncate(appliance.snapshot, appliance.snapshot.stat().st_size - pages * 262_144)
    assert appliance.analyze()["blocks"] == 0
    assert stored_in(appliance.snapshot) == stored_in(appliance.database)
    assert appliance.run("status").returncode == 0


def test_what_a_killed_run_left_does_not_keep_the_next_one_from_a_nearly_full_disk(cramped):
    left_over = cramped.folder / ".utxoracle_snapshot.db.new"
    free = shutil.disk_usage(cramped.folder).free
    left_over.write_bytes(bytes(free - (32 << 20)))
    assert_goes_on(cramped)
