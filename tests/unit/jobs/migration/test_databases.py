"""What strangers or links put before root is left where it is."""

import os
import shutil
from pathlib import Path

import pytest

from tests.conftest import NOBODY
from tests.old_tree import content_of, price_database, price_job, stack, write
from tests.unit.jobs.migration.test_old_rows import add_rows_to_log
from tests.unit.jobs.test_migrate import applied, planned, stored
from utxoracle.jobs.migration.databases import LOG_ELSEWHERE, STRANGERS, UNPROVEN
from utxoracle.jobs.migration.kinds import Kind
from utxoracle.jobs.migration.tree import ELSEWHERE, OldTree, find_tree

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")

pytestmark = pytest.mark.usefixtures("plain_path")


@pytest.fixture
def victim(tmp_path) -> Path:
    """A file that is of no concern here."""
    return write(tmp_path / "etc" / "shadow", "root:*:1:0:99999:7:::\n")


def databases(tree: OldTree) -> list[Path]:
    return [one.path for one in tree.found if one.kind is Kind.DATABASE]


def left(tree: OldTree) -> dict[tuple[Path, str], tuple[str, ...]]:
    """Return what was left of databases and logs, by folder and reason."""
    reasons = (STRANGERS, UNPROVEN, LOG_ELSEWHERE, ELSEWHERE)
    return {(one.folder, one.reason): one.names for one in tree.left if one.reason in reasons}


def test_a_link_in_a_temporary_folder_moves_nothing(tmp_path, machine, base, victim):
    link = machine / "tmp" / "utxoracle_backup.duckdb"
    link.symlink_to(victim)
    before = content_of(victim.parent)
    tree = applied(stack(tmp_path / "stack"), base, machine).plan.tree
    assert content_of(victim.parent) == before
    assert link.is_symlink()
    assert left(tree) == {(machine / "tmp", STRANGERS): (link.name,)}


def test_a_link_in_a_temporary_folder_that_the_settings_name_moves_nothing(
    tmp_path, machine, base, victim
):
    link = machine / "tmp" / "prices.bin"
    link.symlink_to(victim)
    root = price_job(tmp_path / "apps" / "utxoracle").parent
    write(root / "utxoracle" / ".env", f"DUCKDB_BACKUP_PATH={link}\n")
    tree = applied(root, base, machine).plan.tree
    assert victim.exists()
    assert left(tree) == {(machine / "tmp", STRANGERS): ("prices.bin",)}


def test_a_file_that_only_the_settings_name_is_not_moved_unless_it_is_the_predecessors(
    tmp_path, machine, base, victim
):
    root = price_job(tmp_path / "apps" / "utxoracle").parent
    write(root / "utxoracle" / ".env", f"DUCKDB_PATH={victim}\n")
    tree = applied(root, base, machine).plan.tree
    assert victim.exists()
    assert left(tree) == {(victim.parent, UNPROVEN): ("shadow",)}


@pytest.mark.parametrize("way", ["file", "folder"])
def test_a_link_out_of_the_old_tree_moves_nothing_but_a_database_of_the_predecessor(
    tmp_path, machine, base, victim, way
):
    data = price_job(tmp_path / "apps" / "utxoracle") / "data"
    elsewhere = price_database(tmp_path / "disk" / "prices.bin")
    (data / "utxoracle_good.db").symlink_to(elsewhere)
    (data / "utxoracle_shadow.db").symlink_to(victim)
    if way == "folder":
        (tmp_path / "apps" / "job" / "scripts").mkdir(parents=True)
        write(tmp_path / "apps" / "job" / "scripts" / "daily_analysis.py", "")
        (tmp_path / "apps" / "job" / "data").symlink_to("/")
        data.rename(tmp_path / "elsewhere")
        data.symlink_to(tmp_path / "elsewhere")
    tree = applied(tmp_path / "apps", base, machine).plan.tree
    assert victim.exists()
    assert not elsewhere.exists()
    assert left(tree) == {(data, UNPROVEN): ("utxoracle_shadow.db",)}
    assert len(stored(base)) == 8 + 3


def test_a_link_to_all_logs_of_the_machine_moves_none(tmp_path, machine, base):
    root = price_job(tmp_path / "apps" / "utxoracle").parent
    shutil.rmtree(root / "utxoracle" / "logs")
    log = write(tmp_path / "var" / "log" / "syslog", "")
    (root / "utxoracle" / "logs").symlink_to(log.parent)
    tree = applied(root, base, machine).plan.tree
    assert log.exists()
    assert left(tree) == {(root / "utxoracle", ELSEWHERE): ("logs",)}


@needs_root
def test_what_strangers_put_into_a_temporary_folder_is_told_in_one_line(tmp_path, machine):
    fallen = price_database(machine / "tmp" / "utxoracle_backup.duckdb")
    for name in ("utxoracle_1.db", "utxoracle_\x1b[2J.db"):
        os.chown(price_database(machine / "tmp" / name), NOBODY, NOBODY)
    tree = find_tree(stack(tmp_path / "stack"), machine=machine)
    assert databases(tree) == [fallen]
    assert left(tree) == {
        (machine / "tmp", STRANGERS): (r"'utxoracle_\x1b[2J.db'", "utxoracle_1.db")
    }


@needs_root
def test_what_the_owner_of_the_old_tree_left_in_a_temporary_folder_is_taken(tmp_path, machine):
    fallen = price_database(machine / "tmp" / "utxoracle_backup.duckdb")
    root = stack(tmp_path / "stack")
    for path in (fallen, root):
        os.chown(path, NOBODY, NOBODY)
    assert databases(find_tree(root, machine=machine)) == [fallen]


@needs_root
@pytest.mark.parametrize("part", ["systemd-private-1", "systemd-private-1/tmp"])
def test_a_strangers_folder_is_no_private_one_of_systemd(tmp_path, machine, part):
    private = machine / "tmp" / "systemd-private-1" / "tmp"
    price_database(private / "utxoracle_backup.duckdb")
    assert len(databases(find_tree(stack(tmp_path / "stack"), machine=machine))) == 1
    os.chown(machine / "tmp" / part, NOBODY, NOBODY)
    assert databases(find_tree(tmp_path / "stack", machine=machine)) == []


def test_a_link_is_no_private_folder_of_systemd(tmp_path, machine):
    database = price_database(tmp_path / "elsewhere" / "utxoracle_backup.duckdb")
    (machine / "tmp" / "systemd-private-1").mkdir()
    (machine / "tmp" / "systemd-private-1" / "tmp").symlink_to(database.parent)
    assert databases(find_tree(stack(tmp_path / "stack"), machine=machine)) == []


def test_what_fell_into_a_temporary_folder_and_is_not_the_predecessors_stays(
    tmp_path, machine, base
):
    junk = write(machine / "tmp" / "utxoracle_notes.db", b"no database")
    tree = applied(stack(tmp_path / "stack"), base, machine).plan.tree
    assert junk.exists()
    assert left(tree) == {(junk.parent, UNPROVEN): (junk.name,)}


def test_a_damaged_database_within_the_old_tree_is_still_taken(tmp_path, machine, base):
    root = price_job(tmp_path / "apps" / "utxoracle").parent
    damaged = write(root / "utxoracle" / "data" / "utxoracle_old.db", b"no database")
    migration = applied(root, base, machine)
    assert not damaged.exists()
    assert any("no rows are imported from utxoracle/data/utxoracle_old.db" in remark
               for remark in migration.prices.remarks)  # fmt: skip


@pytest.mark.parametrize("place", ["tree", "temporary"])
def test_a_database_whose_log_is_a_link_elsewhere_stays_with_it(tmp_path, machine, victim, place):
    root = price_job(tmp_path / "apps" / "utxoracle").parent
    folder = root / "utxoracle" / "data" if place == "tree" else machine / "tmp"
    database = price_database(folder / "utxoracle_x.db")
    (folder / "utxoracle_x.db.wal").symlink_to(victim)
    tree = find_tree(root, machine=machine)
    assert victim not in databases(tree)
    assert database not in databases(tree)
    assert left(tree) == {(folder, LOG_ELSEWHERE): ("utxoracle_x.db",)}


def test_a_database_in_a_temporary_folder_is_taken_with_its_log(tmp_path, machine, base):
    fallen = price_database(machine / "tmp" / "utxoracle_backup.duckdb")
    add_rows_to_log(fallen)
    assert planned(stack(tmp_path / "stack"), base, machine).plan.tree.left
    applied(tmp_path / "stack", base, machine)
    assert [*fallen.parent.iterdir()] == []
    assert len(stored(base)) == 4
