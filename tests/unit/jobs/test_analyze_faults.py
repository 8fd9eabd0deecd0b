"""Every fault of a server at every step of a run ends as the tables of docs/sources.md say."""

import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from time import sleep

import pytest

from tests.appliance import Appliance, one_line
from tests.conftest import PRINTED
from utxoracle.cli import program
from utxoracle.jobs import analyze
from utxoracle.simulation import http as simulation_http
from utxoracle.simulation.chain import SimulatedChain
from utxoracle.simulation.faults import Kind, Step
from utxoracle.simulation.options import SimulationOptions
from utxoracle.simulation.server import SimulationServer
from utxoracle.sources import http
from utxoracle.store.folder import DataFolder
from utxoracle.store.last_run import file_marks, read_last_run, write_last_run

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "sources.md"
CHAIN = SimulatedChain(SimulationOptions.parse("seed=8,days=1,transactions=2"))
TIP = CHAIN.tip_height - 1
INTERFACES = ("mempool", "REST", "JSON-RPC")
SECONDS = 0.3
"""Patience for an answer; what a run may take altogether is far more."""


Table = dict[str, dict[str, str]]
"""The cells of a table by fault and step."""

Rows = dict[str, list[tuple[object, ...]]]


@dataclass(frozen=True)
class Site:
    """A server, and a folder in which all but its newest block are stored.

    Attributes:
        interface: How the server is asked.
        before: What is stored there.
        healthy: What is to be stored with that block.
    """

    interface: str
    server: SimulationServer
    appliance: Appliance
    before: Rows
    healthy: Rows


@dataclass(frozen=True)
class Ended:
    exit_code: int
    errors: list[str]
    warnings: list[str]


Analyze = Callable[[Appliance], Ended]


@pytest.fixture
def run(sites, monkeypatch, capsys) -> Iterator[Analyze]:
    """Run analyze in this process, with little patience."""
    handler = signal.getsignal(signal.SIGTERM)

    def pause(seconds: float) -> None:
        sleep(min(seconds, SECONDS / 6))
        # On a busy machine a server that was deaf takes its time to listen again, and the
        # attempts of a run would be used up by then.
        for site in sites.values():
            site.server.wait_until_it_listens()

    monkeypatch.setattr(http, "pause", pause)
    monkeypatch.setattr(simulation_http, "REFUSE_SECONDS", SECONDS / 3)
    monkeypatch.setattr(analyze, "_PAUSE", 0.0)
    monkeypatch.setattr(sys, "argv", ["utxoracle", "analyze"])
    for name in ("CONNECT_TIMEOUT", "READ_TIMEOUT", "EXCHANGE_TIMEOUT"):
        monkeypatch.setenv(f"UTXORACLE_{name}", str(SECONDS))
    monkeypatch.setenv("UTXORACLE_STALL_MINUTES", "1e9")

    def run_analyze(appliance: Appliance) -> Ended:
        for name, value in appliance.environment.items():
            if name.startswith("UTXORACLE_"):
                monkeypatch.setenv(name, value)
        with pytest.raises(SystemExit) as ended:
            program.run()
        lines = capsys.readouterr().err.splitlines()
        return Ended(
            int(ended.value.code or 0),
            [line for line in lines if not line.startswith("utxoracle: warning: ")],
            [line for line in lines if line.startswith("utxoracle: warning: ")],
        )

    yield run_analyze
    signal.signal(signal.SIGTERM, handler)


@pytest.fixture(scope="module")
def sites(tmp_path_factory) -> Iterator[dict[str, Site]]:
    with (
        SimulationServer(CHAIN, tip=TIP) as server,
        SimulationServer(CHAIN, tip=TIP, rest=False) as without_rest,
    ):
        appliances = {
            one: _init(
                tmp_path_factory.mktemp(one), without_rest if one == "JSON-RPC" else server, one
            )
            for one in INTERFACES
        }
        for appliance in appliances.values():
            appliance.analyze()
        server.advance_tip(1)
        without_rest.advance_tip(1)
        made = {}
        for one, appliance in appliances.items():
            after = appliance.copy(appliance.folder.with_name("after"))
            after.analyze()
            made[one] = Site(
                one,
                without_rest if one == "JSON-RPC" else server,
                appliance,
                appliance.chain_rows(),
                after.chain_rows(),
            )
        yield made


@pytest.fixture(scope="module", params=INTERFACES)
def site(sites, request) -> Site:
    return sites[request.param]


def _init(folder: Path, server: SimulationServer, interface: str) -> Appliance:
    kind = "mempool" if interface == "mempool" else "bitcoind"
    return Appliance(folder / "before", f"{kind}+{server.url}").init()


def documented() -> dict[str, Table]:
    """Return the tables of the document by interface."""
    tables: dict[str, Table] = {}
    for heading, body in re.findall(r"^### (.+)\n((?:(?!#).*\n)+)", DOCUMENT.read_text(), re.M):
        lines = [line[1:-1].split("|") for line in body.splitlines() if line.startswith("|")]
        head, _, *rows = [[cell.strip(" `") for cell in line] for line in lines]
        tables[heading] = {
            row[0]: {step: cell for step, cell in zip(head[1:], row[1:], strict=True) if cell}
            for row in rows
        }
    return tables


def test_the_document_has_a_cell_for_every_fault_at_every_step():
    tables = documented()
    assert list(tables) == list(INTERFACES)
    for interface, table in tables.items():
        assert list(table) == list(Kind)
        steps = [one for one in Step if interface == "mempool" or one != Step.PRICE]
        for kind, cells in table.items():
            assert list(cells) == ([Step.BLOCK] if kind == Kind.FLIP_WITNESS else steps)


@pytest.mark.parametrize("kind", Kind)
def test_a_fault_ends_as_documented_and_the_next_run_heals(
    site, kind, run, tmp_path, record_property
):
    wanted = documented()[site.interface][kind]
    cells = {}
    for step in wanted:
        codes = [
            outcome(site, run, tmp_path / "data", fault)
            for fault in (f"{kind}@{step}", f"{kind}@{step}*1")
        ]
        cells[step] = " · ".join(map(str, codes))
    shown = "  ".join(f"{step} {cell}" for step, cell in cells.items())
    record_property(PRINTED, f"{site.interface:<9} {kind:<13} {shown}")
    assert cells == wanted


def test_a_host_that_can_not_be_found_is_exit_code_3(sites, run):
    appliance = sites["mempool"].appliance
    settings = appliance.environment | {"UTXORACLE_SOURCE": "mempool+http://nowhere.invalid:8999"}
    done = subprocess.run(
        appliance.command("analyze"), env=settings, capture_output=True, text=True, check=False
    )
    assert "nowhere.invalid:8999 can't be found: check the host name" in one_line(done, 3)


@pytest.mark.parametrize("kind", [Kind.HANG, Kind.TRICKLE])
@pytest.mark.parametrize("step", [Step.TIP, Step.HASH, Step.HEADER, Step.BLOCK])
def test_nobody_waits_for_more_than_one_time_out(site, kind, step, run, tmp_path):
    appliance = copy_of(site, tmp_path / "data")
    site.server.set_faults([f"{kind}@{step}*9"])
    assert run(appliance).exit_code == 3
    assert site.server.faults == [f"{kind}@{step}*8"]
    site.server.set_faults([])


def copy_of(site: Site, path: Path) -> Appliance:
    """Return a copy of a folder in which nothing seems to have happened since its last run."""
    appliance = site.appliance.copy(path)
    folder = DataFolder(path)
    last_run = read_last_run(folder)
    assert last_run
    write_last_run(folder, replace(last_run, files=file_marks(folder)))
    return appliance


def outcome(site: Site, run: Analyze, path: Path, fault: str) -> int:
    """Return the exit code of a run with a fault, having checked all that must hold beside."""
    appliance = copy_of(site, path)
    try:
        site.server.set_faults([fault])
        ended = run(appliance)
        assert appliance.last_run()["exit_code"] == ended.exit_code
        assert appliance.chain_rows() in (site.before, site.healthy), "rows are wrong"
        if ended.exit_code:
            (line,) = ended.errors
            assert line.startswith("utxoracle: "), line
        else:
            assert not ended.errors
        site.server.set_faults([])
        if appliance.chain_rows() != site.healthy:
            assert run(appliance).exit_code == 0, "the next run does not heal"
            assert appliance.chain_rows() == site.healthy, "the next run leaves wrong rows"
        return ended.exit_code
    finally:
        site.server.set_faults([])
        shutil.rmtree(path)
