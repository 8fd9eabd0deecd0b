"""One run at a time, whoever starts it and however the one before ended."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.appliance import SECONDS, Appliance, Node, simulated_node
from tests.stored import check_is_whole, stored_in

OPTIONS = "seed=6,days=5,blocks_per_day=60,transactions=20,start=2025-01-01"
TIP = 960

HELD = (
    r"utxoracle: another run is going on "
    r"\(pid {pid}, since \d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d UTC\): "
    r"wait for it, or see journalctl -u utxoracle-analyze\n"
)


@pytest.fixture(scope="module")
def node() -> Iterator[Node]:
    with simulated_node(OPTIONS) as node:
        yield node


@pytest.fixture(scope="module")
def appliance(node: Node, tmp_path_factory: pytest.TempPathFactory) -> Appliance:
    node.show(TIP)
    appliance = Appliance(tmp_path_factory.mktemp("locks") / "data", node.mempool).init()
    appliance.analyze()
    return appliance


def content(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_whoever_writes_is_told_about_the_run_that_is_going_on(appliance, node):
    node.grow()
    with appliance.halted(f"os.rename {TIP + 1}_*.npz", "analyze") as pid:
        before = content(appliance.folder)
        for command in "analyze", "init-db":
            line = appliance.refused(5, command)
            assert re.fullmatch(HELD.format(pid=pid), line), line
        assert appliance.run("status").returncode == 0
        assert appliance.run("analyze", "--dry-run").returncode == 0
        assert content(appliance.folder) == before
    assert appliance.analyze()["caught_up"]


def test_runs_that_start_at_the_same_moment_get_in_no_ones_way(appliance, node):
    for _ in range(10):
        node.grow()
        pair = [appliance.start("analyze") for _ in range(2)]
        for process in pair:
            _, errors = process.communicate(timeout=SECONDS)
            if process.returncode:
                assert process.returncode == 5, errors
                assert re.match("utxoracle: another run is going on.*: wait for it", errors)
        assert 0 in {process.returncode for process in pair}
        stored = stored_in(appliance.snapshot)
        assert stored.blocks[max(stored.blocks)][0] == node.tip()[1]
    check_is_whole(stored)
    assert stored == stored_in(appliance.database)
    assert appliance.last_run()["exit_code"] == 0
