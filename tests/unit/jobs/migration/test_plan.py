"""How things are taken over is told beforehand, and so is what speaks against it."""

import os
import shutil
from pathlib import Path

import pytest

from tests.conftest import NOBODY, mounted, ordinary_user
from tests.old_tree import (
    MB,
    apps,
    cache_folder,
    electrs_folder,
    mysql_folder,
    price_database,
    stack,
    write,
    write_sparse,
)
from utxoracle.errors import StorageError
from utxoracle.jobs.migration.journal import Journal
from utxoracle.jobs.migration.kinds import Kind
from utxoracle.jobs.migration.layout import ours
from utxoracle.jobs.migration.measure import can_rename, measure, reading_rate
from utxoracle.jobs.migration.plan import ASSUMED_RATE, SPARE, How, Plan, Step, make_plan
from utxoracle.jobs.migration.tree import find_tree

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")


@pytest.fixture
def base(tmp_path) -> Path:
    (tmp_path / "new").mkdir()
    return tmp_path / "new"


def plan_of(root: Path, base: Path, machine: Path, *, always_copy: bool = False, **how) -> Plan:
    tree = find_tree(root, ours=ours(base), machine=machine, **how)
    return make_plan(tree, base, Journal(base), always_copy=always_copy)


def step_of(plan: Plan, kind: Kind) -> Step:
    (step,) = [step for step in plan.steps if step.found.kind is kind]
    return step


def test_everything_goes_where_the_module_wants_it(tmp_path, machine, base):
    root = apps(tmp_path / "apps")
    plan = plan_of(root, base, machine)
    targets = {
        (str(step.found.kind), str(step.found.name.relative_to(root))): str(
            step.target.relative_to(base)
        )
        for step in plan.steps
    }
    predecessor = "utxoracle/data/predecessor/utxoracle/data"
    assert targets == {
        ("database", "utxoracle/data/utxoracle_cache.db"): f"{predecessor}/utxoracle_cache.db",
        ("database", "utxoracle/data/backups/utxoracle_cache_2025-11-02.db"): (
            f"{predecessor}/backups/utxoracle_cache_2025-11-02.db"
        ),
        ("database", "utxoracle/data/backups/utxoracle_cache_2025-11-03.db"): (
            f"{predecessor}/backups/utxoracle_cache_2025-11-03.db"
        ),
        ("mysql", "mempool-stack/data/mysql"): "mempool/data/mysql",
        ("electrs", "mempool-stack/data/electrs"): "mempool/data/electrs",
        ("cache", "mempool-stack/data/cache"): "mempool/data/cache",
        ("stack-logs", "mempool-stack/logs"): "mempool/logs/predecessor",
        ("logs", "utxoracle/logs"): "utxoracle/logs/predecessor",
    }
    assert {step.how for step in plan.steps} == {How.RENAME}
    assert (plan.spaces, plan.bytes_to_copy, plan.seconds, plan.refusals) == ((), 0, 0, ())
    assert plan.steps[0].found.kind is Kind.DATABASE


def test_a_stray_database_keeps_the_place_where_it_was_in_its_name(tmp_path, machine, base):
    stray = price_database(machine / "tmp" / "utxoracle_backup.duckdb")
    plan = plan_of(stack(tmp_path / "stack"), base, machine)
    assert step_of(plan, Kind.DATABASE).target == (
        base / "utxoracle/data/predecessor" / stray.relative_to("/")
    )


def test_across_disks_it_is_copied(tmp_path, machine, other_disk, monkeypatch):
    root = stack(tmp_path / "stack", mysql_size=200 * MB)
    # Other tests write to that disk meanwhile.
    state = os.statvfs(other_disk)
    monkeypatch.setattr(os, "statvfs", {other_disk: state}.__getitem__)
    plan = plan_of(root, other_disk, machine)
    assert {step.how for step in plan.steps} == {How.COPY}
    (space,) = plan.spaces
    allocated = sum(step.measured.allocated for step in plan.steps)
    assert allocated < 10 * MB
    assert space.needed == allocated + int(0.05 * allocated) + SPARE
    assert space.disk == other_disk
    assert space.free == state.f_bavail * state.f_frsize
    assert plan.bytes_to_copy > 200 * MB
    assert plan.rate == ASSUMED_RATE
    assert plan.seconds == 3 * allocated / ASSUMED_RATE
    assert plan.refusals == ()


def test_copies_are_made_within_a_disk_where_that_is_wanted(tmp_path, machine, base):
    plan = plan_of(stack(tmp_path / "stack"), base, machine, always_copy=True)
    assert {step.how for step in plan.steps} == {How.COPY}


def test_a_disk_that_is_too_small_is_refused(tmp_path, machine):
    root = stack(tmp_path / "stack")
    write(root / "data" / "electrs" / "mainnet" / "newindex" / "large", os.urandom(20 * MB))
    with mounted(tmp_path / "small", "-t", "tmpfs", "-o", f"size={80 * MB}", "tmpfs") as base:
        plan = plan_of(root, base, machine)
        assert not plan.spaces[0].suffices
        (refusal,) = plan.refusals
        assert refusal.startswith(f"the disk of {base} has 83.9 MB free, but ")
        # What an interrupted copy has there already need not find room again.
        step = step_of(plan, Kind.ELECTRS)
        step.target.parent.mkdir(parents=True)
        Journal(base).path.parent.mkdir(parents=True)
        Journal(base).begin(step.found.path, step.target, 0)
        shutil.copytree(step.found.path, step.unfinished)
        needed = plan.spaces[0].needed - plan_of(root, base, machine).spaces[0].needed
        assert needed == measure(step.unfinished).allocated


def test_two_mounts_of_one_disk_are_two(tmp_path):
    source = mysql_folder(tmp_path / "mysql")
    with mounted(tmp_path / "again", "--bind", str(tmp_path)) as again:
        assert again.stat().st_dev == source.stat().st_dev
        assert can_rename(source, tmp_path / "new")
        assert not can_rename(source, again / "new")
        with pytest.raises(OSError, match="cross-device"):
            source.rename(again / "new")


def test_a_folder_that_a_disk_is_mounted_in_is_not_renamed(tmp_path):
    source = mysql_folder(tmp_path / "my sql")
    assert can_rename(source, tmp_path / "new")
    with mounted(source / "below", "-t", "tmpfs", "tmpfs"):
        assert not can_rename(source, tmp_path / "new")
    with mounted(source, "-t", "tmpfs", "tmpfs"):
        assert not can_rename(source, tmp_path / "new")


def test_within_a_chroot_nothing_need_be_mounted(tmp_path, monkeypatch):
    monkeypatch.setattr(f"{can_rename.__module__}.mount_points", set)
    source = tmp_path / "old"
    source.mkdir()
    (tmp_path / "new").mkdir()
    assert can_rename(source, tmp_path / "new")


@needs_root
def test_the_owner_that_the_module_must_know_is_told(tmp_path, machine, base):
    root = stack(tmp_path / "stack")
    for path in (root / "data" / "mysql", *(root / "data" / "mysql").rglob("*")):
        os.chown(path, 999, 999)
    plan = plan_of(root, base, machine)
    assert step_of(plan, Kind.MYSQL).remarks == (
        f"it belongs to user 999: chown -R 392:392 {base}/mempool/data/mysql once it is there "
        "and leave services.utxoracle.mempool.db.uid = 999 out, or set that where 999 is nobody "
        "else's number",
    )
    assert step_of(plan, Kind.MYSQL).measured.owners == {(999, 999): 9}
    assert plan.owners == {Kind.MYSQL: 999}


@needs_root
def test_the_cache_can_only_be_given_to_the_user_of_its_images(tmp_path, machine, base):
    root = stack(tmp_path / "stack")
    for path in (root / "data" / "cache", *(root / "data" / "cache").rglob("*")):
        os.chown(path, 1001, 1001)
    plan = plan_of(root, base, machine)
    assert step_of(plan, Kind.CACHE).remarks == (
        "it belongs to user 1001, and images of mempool are of user 1000: chown -R 1000:1000 "
        f"{base}/mempool/data/cache once it is there",
    )
    assert Kind.CACHE not in plan.owners


@needs_root
@pytest.mark.parametrize("cache", [999, 1000])
def test_data_whose_number_other_data_has_is_to_be_given_away(tmp_path, machine, base, cache):
    root = stack(tmp_path / "stack")
    for folder in root / "data" / "mysql", root / "data" / "cache":
        for path in (folder, *folder.rglob("*")):
            os.chown(path, cache, cache)
    plan = plan_of(root, base, machine)
    assert step_of(plan, Kind.MYSQL).remarks == (
        f"it belongs to user {cache}, whose number other data has, too: chown -R 392:392 "
        f"{base}/mempool/data/mysql once it is there",
    )
    assert plan.owners == ({Kind.CACHE: 1000} if cache == 1000 else {})


@needs_root
def test_mixed_owners_are_told(tmp_path, machine, base):
    root = stack(tmp_path / "stack")
    for path in (root / "data" / "mysql", *(root / "data" / "mysql").rglob("*")):
        os.chown(path, 392, 392)
    os.chown(root / "data" / "mysql" / "ibdata1", 0, 0)
    (remark,) = step_of(plan_of(root, base, machine), Kind.MYSQL).remarks
    assert remark == (
        "its owners are mixed (8 of 392:392, 1 of 0:0): give all to one once it is there: "
        f"chown -R 392:392 {base}/mempool/data/mysql"
    )


@needs_root
def test_the_module_s_user_is_the_one_to_give_mixed_data_to(tmp_path, machine, base):
    root = stack(tmp_path / "stack")
    os.chown(root / "data" / "mysql" / "ibdata1", 999, 999)
    owner, mixed = step_of(plan_of(root, base, machine), Kind.MYSQL).remarks
    chown = f"chown -R 392:392 {base}/mempool/data/mysql"
    assert owner == f"it belongs to root, whom no container is: {chown}"
    assert mixed.endswith(f"give all to one once it is there: {chown}")


@needs_root
def test_an_ordinary_user_is_told_what_only_root_can(open_folder):
    root = stack(open_folder / "stack")
    base = open_folder / "new"
    for folder in (base, open_folder / "machine"):
        folder.mkdir()
        os.chown(folder, NOBODY, NOBODY)
    (root / "data" / "mysql" / "ibdata1").chmod(0o600)
    with ordinary_user():
        plan = plan_of(root, base, open_folder / "machine", always_copy=True)
        renaming = plan_of(root, base, open_folder / "machine")
    remark = f"its copy will belong to user {NOBODY}: only root can keep the owners"
    assert remark in step_of(plan, Kind.ELECTRS).remarks
    assert plan.refusals == (
        f"{root}/data/mysql/ibdata1 can't be read by this user: run it as root",
    )
    assert (
        f"{root}/data/electrs can't be moved by this user: run it as root, or copy it with --copy"
        in renaming.refusals
    )


def test_a_target_that_holds_data_is_refused(tmp_path, machine, base):
    root = stack(tmp_path / "stack")
    write(base / "mempool" / "data" / "mysql" / "ibdata1", b"someone else's")
    (base / "mempool" / "data" / "electrs").mkdir()
    (refusal,) = plan_of(root, base, machine).refusals
    assert refusal == (
        f"{base}/mempool/data/mysql holds data already: move it away, choose another folder with "
        "--to, or leave it out with --take mysql=none"
    )
    assert plan_of(root, base, machine, chosen={Kind.MYSQL: None}).refusals == ()


def test_a_target_that_is_a_link_is_refused(tmp_path, machine, base):
    (base / "mempool" / "data").mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    (base / "mempool" / "data" / "mysql").symlink_to(tmp_path / "elsewhere")
    (refusal,) = plan_of(stack(tmp_path / "stack"), base, machine).refusals
    assert f"{base}/mempool/data/mysql holds data already" in refusal


def test_an_unfinished_copy_of_something_else_is_refused(tmp_path, machine, base):
    root = stack(tmp_path / "stack")
    unfinished = mysql_folder(base / "mempool" / "data" / "mysql.in-progress")
    (refusal,) = plan_of(root, base, machine).refusals
    assert refusal == f"{unfinished} is not of this tree: move it away"


def test_a_folder_within_its_own_target_is_refused(tmp_path, machine):
    root = tmp_path / "apps" / "mempool"
    cache_folder(root / "data")
    (refusal,) = plan_of(root, tmp_path / "apps", machine).refusals
    assert refusal == (
        f"{root}/data can't become {root}/data/cache, one of which is within the other: choose "
        "another folder with --to, or leave it out with --take cache=none"
    )


def test_what_is_in_place_stays(tmp_path, machine):
    base = apps(tmp_path / "apps", name="mempool")
    plan = plan_of(base, base, machine)
    hows = {step.found.kind: step.how for step in plan.steps}
    assert hows == {
        Kind.DATABASE: How.RENAME,
        Kind.MYSQL: How.STAY,
        Kind.ELECTRS: How.STAY,
        Kind.CACHE: How.STAY,
        Kind.STACK_LOGS: How.STAY,
        Kind.LOGS: How.STAY,
    }
    assert plan.refusals == ()


def test_a_link_will_lead_nowhere(tmp_path, machine, base):
    root = stack(tmp_path / "stack")
    electrs_folder(tmp_path / "elsewhere")
    shutil.rmtree(root / "data" / "electrs")
    (root / "data" / "electrs").symlink_to(tmp_path / "elsewhere")
    step = step_of(plan_of(root, base, machine), Kind.ELECTRS)
    assert step.found.path == tmp_path / "elsewhere"
    assert (
        f"{root}/data/electrs is a link to it, at {tmp_path}/elsewhere, and leads nowhere then"
        in step.remarks
    )


def test_the_mode_that_fits_the_index_of_electrs_is_pointed_out(tmp_path, machine, base):
    write(tmp_path / "stack" / "electrs" / "db" / "bitcoin" / "CURRENT", "MANIFEST-000001\n")
    step = step_of(plan_of(tmp_path / "stack", base, machine), Kind.ELECTRS)
    assert step.found.path == tmp_path / "stack" / "electrs" / "db"
    assert not [remark for remark in step.remarks if "index" in remark]
    shutil.rmtree(tmp_path / "stack")
    electrs_folder(tmp_path / "stack" / "electrs" / "db")
    step = step_of(plan_of(tmp_path / "stack", base, machine), Kind.ELECTRS)
    assert [one for one in step.remarks if 'mempool.electrs.mode = "esplora"' in one]


def test_a_damaged_journal_is_one_line(base):
    write(Journal(base).path, "[{")
    with pytest.raises(StorageError, match=r"migration\.json, which says what was copied already"):
        Journal(base)


def test_a_measure_counts_links_and_holes_once(tmp_path):
    write_sparse(tmp_path / "folder" / "sparse", 100 * MB)
    (tmp_path / "folder" / "again").hardlink_to(tmp_path / "folder" / "sparse")
    (tmp_path / "folder" / "link").symlink_to("sparse")
    os.mkfifo(tmp_path / "folder" / "pipe")
    found = measure(tmp_path / "folder")
    assert (found.size, found.files) == (100 * MB, 1)
    assert found.allocated < MB
    assert found.special == [tmp_path / "folder" / "pipe"]
    assert found.largest in (tmp_path / "folder" / "sparse", tmp_path / "folder" / "again")


def test_a_rate_is_measured_where_there_is_enough_to_read(tmp_path):
    assert reading_rate(write(tmp_path / "small", bytes(MB))) is None
    assert reading_rate(write_sparse(tmp_path / "large", 32 * MB)) > 0
