"""Files get where they belong, whole, whatever comes between."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.old_tree import content_of, mysql_folder, price_database, stack, write
from utxoracle.errors import StorageError
from utxoracle.jobs.migration.copying import Tell
from utxoracle.jobs.migration.journal import Journal
from utxoracle.jobs.migration.kinds import Kind
from utxoracle.jobs.migration.measure import measure
from utxoracle.jobs.migration.plan import How, Step
from utxoracle.jobs.migration.transfer import NOTE, leave_note, make_folder, transfer
from utxoracle.jobs.migration.tree import Found


def step_of(source: Path, target: Path, how: How = How.COPY, kind: Kind = Kind.MYSQL) -> Step:
    return Step(Found(kind, source, source), target, how, measure(source), ())


def nothing(_: int) -> None:
    pass


def transferred(step: Step, base: Path, tell: Tell = nothing) -> None:
    transfer(step, Journal(base), tell)


def test_a_rename_keeps_the_very_files(tmp_path):
    source = mysql_folder(tmp_path / "old" / "mysql")
    before, inode = content_of(source), source.stat().st_ino
    target = tmp_path / "new" / "mempool" / "data" / "mysql"
    target.mkdir(parents=True)
    transferred(step_of(source, target, How.RENAME), tmp_path / "new")
    assert content_of(target) == before
    assert target.stat().st_ino == inode
    assert not source.exists()


def test_a_link_that_takes_the_place_of_a_folder_above_leads_to_no_other(tmp_path):
    source = mysql_folder(tmp_path / "old" / "data" / "mysql")
    other = mysql_folder(tmp_path / "lib" / "mysql")
    step = step_of(source, tmp_path / "new" / "mysql", How.RENAME)
    source.parent.rename(tmp_path / "old" / "moved")
    source.parent.symlink_to(other.parent)
    with pytest.raises(StorageError, match=f"{source.parent} leads to {other.parent} by now: see"):
        transferred(step, tmp_path / "new")
    assert other.exists()


def test_a_copy_across_disks_leaves_the_old_as_it_is(tmp_path, other_disk):
    source = mysql_folder(tmp_path / "mysql")
    before = content_of(source)
    target = other_disk / "mempool" / "data" / "mysql"
    transferred(step_of(source, target), other_disk)
    assert content_of(target) == content_of(source) == before
    assert [path.name for path in target.parent.iterdir()] == ["mysql"]
    assert Journal(other_disk).is_done(source, target)


def test_a_file_is_copied_as_a_folder_is(tmp_path, other_disk):
    source = price_database(tmp_path / "old.db")
    transferred(step_of(source, other_disk / "new.db", kind=Kind.DATABASE), other_disk)
    assert (other_disk / "new.db").read_bytes() == source.read_bytes()
    assert Journal(other_disk).is_done(source, other_disk / "new.db")


def test_what_stays_or_is_done_is_not_touched(tmp_path):
    source = mysql_folder(tmp_path / "mysql")
    for how in (How.STAY, How.DONE):
        transferred(step_of(source, tmp_path / "new" / "mysql", how), tmp_path / "new")
    assert source.exists()
    assert not (tmp_path / "new" / "mysql").exists()


TRANSFER = """
import os, sys
from pathlib import Path
from tests.unit.jobs.migration.test_transfer import nothing, step_of, transferred
event, name = sys.argv[3:]
def watch(seen, arguments):
    if seen == event and any(Path(os.fsdecode(one)).name == name for one in arguments
                             if isinstance(one, (str, bytes, os.PathLike))):
        os.kill(os.getpid(), 9)
base = Path(sys.argv[2])
step = step_of(Path(sys.argv[1]), base / "mysql")
sys.addaudithook(watch)
transferred(step, base)
"""


@pytest.mark.parametrize(
    ("event", "name"),
    [
        ("os.rename", "migration.json"),
        ("os.mkdir", "mysql.in-progress"),
        ("os.rename", "blocks.ibd"),
        ("os.utime", "mysql.in-progress"),
        ("os.rename", "mysql"),
    ],
)
def test_a_kill_at_any_moment_is_gone_on_from(tmp_path, other_disk, event, name):
    source = mysql_folder(tmp_path / "mysql")
    before = content_of(source)
    killed = subprocess.run(
        [sys.executable, "-c", TRANSFER, source, other_disk, event, name], check=False
    )
    assert killed.returncode == -9
    assert content_of(source) == before
    assert not Journal(other_disk).is_done(source, other_disk / "mysql")
    transferred(step_of(source, other_disk / "mysql"), other_disk)
    assert content_of(other_disk / "mysql") == before
    assert Journal(other_disk).is_done(source, other_disk / "mysql")
    assert not (other_disk / "mysql.in-progress").exists()


def test_a_file_that_changes_behind_the_copy_is_found(tmp_path, other_disk):
    source = mysql_folder(tmp_path / "mysql")
    step = step_of(source, other_disk / "mysql")
    total = 0

    def change(more: int) -> None:
        nonlocal total
        total += more
        if total == 2 * step.measured.size:
            write(source / "aria_log_control", b"changed")

    with pytest.raises(StorageError, match="mysql changed while it was copied: stop what uses it"):
        transferred(step, other_disk, change)
    assert not step.target.exists()
    transferred(step_of(source, other_disk / "mysql"), other_disk)
    assert content_of(other_disk / "mysql") == content_of(source)


def test_a_source_that_changed_since_it_was_copied_is_known(tmp_path, other_disk):
    source = mysql_folder(tmp_path / "mysql")
    transferred(step_of(source, other_disk / "mysql"), other_disk)
    journal = Journal(other_disk)
    assert not journal.changed_since(source, other_disk / "mysql", measure(source).changed)
    write(source / "ibdata1", b"used again")
    assert journal.changed_since(source, other_disk / "mysql", measure(source).changed)


def test_data_of_somebody_else_beside_an_unfinished_copy_is_not_taken_for_the_copy(tmp_path):
    source = mysql_folder(tmp_path / "mysql")
    journal = Journal(tmp_path / "new")
    journal.path.parent.mkdir(parents=True)
    journal.begin(source, tmp_path / "new" / "mysql", 0)
    mysql_folder(tmp_path / "new" / "mysql")
    mysql_folder(tmp_path / "new" / "mysql.in-progress")
    assert not journal.is_done(source, tmp_path / "new" / "mysql")


def test_a_disk_that_goes_away_is_one_line(tmp_path, other_disk):
    source = mysql_folder(tmp_path / "mysql")
    step = step_of(source, other_disk / "mysql")
    source.rename(tmp_path / "gone")
    with pytest.raises(StorageError, match="No such file or directory; nothing is lost: mend it"):
        transferred(step, other_disk)


def test_a_rename_that_the_file_system_refuses_leads_to_a_copy(tmp_path, other_disk):
    source = mysql_folder(tmp_path / "mysql")
    with pytest.raises(StorageError, match=r"Invalid cross-device link.*run it again with --copy"):
        transferred(step_of(source, other_disk / "mysql", How.RENAME), other_disk)
    assert source.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give folders away")
def test_folders_that_are_made_belong_to_whom_the_one_above_does(tmp_path):
    os.chown(tmp_path, 1234, 4321)
    make_folder(tmp_path / "mempool" / "data")
    for path in (tmp_path / "mempool", tmp_path / "mempool" / "data"):
        assert (path.stat().st_uid, path.stat().st_gid) == (1234, 4321)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give folders away")
def test_a_link_that_takes_the_place_of_a_new_folder_gives_nothing_away(tmp_path, monkeypatch):
    (tmp_path / "victim").mkdir()
    before = content_of(tmp_path)
    (tmp_path / "new").mkdir()
    os.chown(tmp_path / "new", 1234, 4321)
    mkdir = os.mkdir

    def swap(name: str, *arguments: int, **options: int) -> None:
        mkdir(name, *arguments, **options)
        (tmp_path / "new" / "mempool").rename(tmp_path / "new" / "moved")
        (tmp_path / "new" / "mempool").symlink_to(tmp_path / "victim")

    monkeypatch.setattr(os, "mkdir", swap)
    with pytest.raises(OSError, match="Not a directory"):
        make_folder(tmp_path / "new" / "mempool", mode=0o777, owner=(1234, 4321))
    assert {"victim": content_of(tmp_path)["victim"]} == before


def test_a_folder_may_have_a_mode_and_an_owner_of_its_own(tmp_path):
    user, group = os.geteuid(), os.getegid()
    make_folder(tmp_path / "utxoracle" / "data", mode=0o750, owner=(user, group))
    assert (tmp_path / "utxoracle" / "data").stat().st_mode & 0o777 == 0o750
    assert (tmp_path / "utxoracle").stat().st_mode & 0o777 == 0o755


def test_a_journal_that_is_a_link_leads_to_no_other_file(tmp_path):
    journal = Journal(tmp_path / "new")
    journal.path.parent.mkdir(parents=True)
    victim = write(tmp_path / "victim", b"mine")
    journal.path.symlink_to(victim)
    with pytest.raises(StorageError, match=f"{journal.path} is a link: move it away"):
        journal.begin(tmp_path / "old", tmp_path / "new" / "mysql", 0)
    assert victim.read_bytes() == b"mine"


def test_a_note_says_how_to_undo_renames_and_the_command_works(tmp_path):
    root = stack(tmp_path / "old stack")
    before = content_of(root)
    new = tmp_path / "new"
    steps = [
        step_of(root / "data" / "mysql", new / "mysql", How.RENAME),
        step_of(root / "data" / "cache", new / "cache", How.COPY),
    ]
    leave_note(root, steps)
    for step in steps:
        transferred(step, new)
    assert not (root / "data" / "mysql").exists()
    (command,) = [line for line in (root / NOTE).read_text().splitlines() if "mv" in line]
    subprocess.run(["/bin/sh", "-c", command], check=True)
    (root / NOTE).unlink()
    after = content_of(root)
    # The folders' own times changed.
    assert after.keys() == before.keys()
    assert content_of(root / "data" / "mysql").keys()


def test_no_note_is_left_where_nothing_is_moved(tmp_path):
    root = stack(tmp_path / "stack")
    leave_note(root, [step_of(root / "data" / "mysql", tmp_path / "mysql", How.COPY)])
    assert not (root / NOTE).exists()


def test_a_note_that_leads_elsewhere_or_is_a_pipe_is_not_written(tmp_path):
    root = stack(tmp_path / "stack")
    steps = [step_of(root / "data" / "mysql", tmp_path / "mysql", How.RENAME)]
    victim = write(tmp_path / "victim", b"mine")
    (root / NOTE).symlink_to(victim)
    with pytest.raises(StorageError, match=f"can't write {root / NOTE}: Too many levels"):
        leave_note(root, steps)
    assert victim.read_bytes() == b"mine"
    (root / NOTE).unlink()
    os.mkfifo(root / NOTE)
    with pytest.raises(StorageError, match=f"can't write {root / NOTE}: .* plain file"):
        leave_note(root, steps)
    reader = os.open(root / NOTE, os.O_RDONLY | os.O_NONBLOCK)
    try:
        with pytest.raises(StorageError, match=f"can't write {root / NOTE}: it isn't a plain file"):
            leave_note(root, steps)
    finally:
        os.close(reader)


def test_a_note_follows_whatever_was_written_there(tmp_path):
    root = stack(tmp_path / "stack")
    write(root / NOTE, b"\xff\n")
    leave_note(root, [step_of(root / "data" / "mysql", tmp_path / "mysql", How.RENAME)])
    before, _, *_ = (root / NOTE).read_bytes().split(b"\n")
    assert before == b"\xff"
    assert (root / NOTE).read_bytes().endswith(b"/mysql\n")
