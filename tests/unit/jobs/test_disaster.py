"""A machine that is lost, restored and goes on ends as one that never failed, `==`."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.appliance import Appliance, Node, simulated_node
from tests.stored import check_is_whole, stored_in
from tests.unit.jobs.test_analyze_kills import OPTIONS, START

LATER = 30
"""Blocks that come after the backup; a day ends among them."""

HIGH = START + 190
"""Where a first run begins with a later block than that of the backup."""

FORK = START - 5
"""Height from which on another branch takes the place of the chain after the backup."""


@pytest.fixture(scope="module")
def node() -> Iterator[Node]:
    with simulated_node(f"seed=6,{OPTIONS},days=7") as node:
        yield node


@pytest.fixture(scope="module")
def machine(node: Node, tmp_path_factory: pytest.TempPathFactory) -> Appliance:
    """A machine that made a backup at START and went on; nothing may change it."""
    node.show(START)
    machine = Appliance(tmp_path_factory.mktemp("machine") / "data", node.mempool).init()
    machine.analyze()
    assert machine.run("backup").returncode == 0
    node.grow(LATER)
    machine.analyze()
    return machine


@pytest.fixture
def damaged(machine: Appliance, tmp_path: Path) -> Appliance:
    return machine.copy(tmp_path / "data")


def assert_as_never_failed(appliance: Appliance, node: Node, twin: Appliance) -> None:
    """Check that a run goes on behind a restore, and all is as on a machine that never failed."""
    assert max(stored_in(appliance.snapshot).blocks) == START
    report = appliance.analyze()
    assert report["caught_up"]
    assert report["blocks"] >= LATER
    assert appliance.chain_rows() == twin.chain_rows()
    assert stored_in(appliance.snapshot) == stored_in(appliance.database)
    check_is_whole(stored_in(appliance.snapshot))
    assert appliance.analyze()["blocks"] == 0


def test_a_new_machine_with_the_latest_backup_equals_one_that_never_failed(machine, node, tmp_path):
    backups = shutil.copytree(machine.folder / "backups", tmp_path / "disk")
    fresh = Appliance(tmp_path / "new" / "data", node.mempool)
    done = fresh.run("restore", "latest", "--from", str(backups))
    assert done.returncode == 0, done.stderr
    assert_as_never_failed(fresh, node, machine)


def test_nothing_new_is_no_excuse_though_the_last_run_stored_all(damaged, node, machine):
    assert damaged.last_run()["caught_up"]
    assert damaged.analyze()["blocks"] == 0
    assert damaged.run("restore", "latest").returncode == 0
    assert_as_never_failed(damaged, node, machine)


def test_a_machine_whose_files_are_damaged_is_put_in_order(damaged, node, machine):
    for path in damaged.database, damaged.snapshot:
        path.write_bytes(b"junk" * 10_000)
    damaged.refused(5, "analyze")
    assert damaged.run("restore", "latest").returncode == 0
    assert_as_never_failed(damaged, node, machine)


def test_scans_of_a_chain_that_began_later_are_not_believed(machine, node, tmp_path):
    """From here on the node is at another height than the machine."""
    node.show(HIGH)
    twin = machine.copy(tmp_path / "twin")
    twin.analyze()
    # Begun anew near the tip: spends of what lies below were not looked for.
    anew = Appliance(tmp_path / "anew", node.mempool).init()
    assert anew.analyze()["first_height"] > min(stored_in(machine.snapshot).blocks)
    backups = machine.folder / "backups"
    assert anew.run("restore", "latest", "--from", str(backups)).returncode == 0
    assert_as_never_failed(anew, node, twin)


def test_a_reorganisation_between_backup_and_restore_is_followed(machine, damaged, node, tmp_path):
    """From here on the node is on the other branch."""
    node.fork(FORK, START + LATER + 1)
    twin = machine.copy(tmp_path / "twin")
    twin.analyze()
    assert damaged.run("restore", "latest").returncode == 0
    before = stored_in(damaged.snapshot)
    assert_as_never_failed(damaged, node, twin)
    assert stored_in(damaged.snapshot).blocks[START] != before.blocks[START]
