"""One regtest chain that a bitcoind has taken, and copies of that node for each test."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.appliance import Appliance
from tests.debian import ProgramUnavailable
from tests.node.bitcoind import ALWAYS_SYNCED, Bitcoind
from tests.node.download import bitcoind_command
from utxoracle.simulation.chain import SimulatedChain
from utxoracle.simulation.options import SimulationOptions
from utxoracle.simulation.writer import write_chain

OPTIONS = "seed=4,days=3,transactions=40"


@dataclass(frozen=True)
class Submitted:
    """What became of a chain that was submitted to a node.

    Attributes:
        results: What the node said to each block: None where it took it.
        tip: Height and hash of its newest block afterwards.
        folder: The node's data folder, as it left it when it stopped.
    """

    results: list[str | None]
    tip: tuple[int, str]
    folder: Path


@pytest.fixture(scope="session")
def command() -> list[str]:
    try:
        return bitcoind_command()
    except ProgramUnavailable as error:
        pytest.exit(str(error), returncode=pytest.ExitCode.USAGE_ERROR)


@pytest.fixture(scope="session")
def chain() -> SimulatedChain:
    return SimulatedChain(SimulationOptions.parse(f"{OPTIONS},regtest=1"))


@pytest.fixture(scope="session")
def submitted(command, chain, tmp_path_factory) -> Submitted:
    node = Bitcoind(command, tmp_path_factory.mktemp("submitted") / "node")
    blocks = [chain.raw_block(height) for height in range(1, chain.tip_height + 1)]
    try:
        # Small block files: of one that is as large as usual, nothing could be pruned.
        node.start(ALWAYS_SYNCED, "-fastprune")
        results = node.submit(blocks)
        tip = node.tip()
        node.stop()
    finally:
        node.kill()
    return Submitted(results, tip, node.folder)


@pytest.fixture
def node(command, submitted, tmp_path) -> Iterator[Bitcoind]:
    """A node that has the whole chain and isn't started yet."""
    node = Bitcoind(command, shutil.copytree(submitted.folder, tmp_path / "node"))
    yield node
    node.kill()


@pytest.fixture(scope="session")
def files(chain, tmp_path_factory) -> str:
    """A source of the same blocks, without any node."""
    folder = tmp_path_factory.mktemp("blocks")
    write_chain(chain, folder)
    return f"files:{folder}"


@pytest.fixture(scope="session")
def expected(files, tmp_path_factory) -> Appliance:
    """A database that was filled from the files; nothing may change it."""
    appliance = Appliance(tmp_path_factory.mktemp("expected") / "data", files).init()
    appliance.analyze()
    return appliance


@pytest.fixture(scope="session")
def begun(files, tmp_path_factory) -> Appliance:
    """A database that lacks the newest blocks; nothing may change it."""
    appliance = Appliance(tmp_path_factory.mktemp("begun") / "data", files).init()
    appliance.analyze("--max-blocks", "160")
    return appliance


@pytest.fixture
def appliance(node, begun, tmp_path) -> Appliance:
    """A database that lacks the newest blocks, to be filled from the node."""
    appliance = begun.copy(tmp_path / "data")
    appliance.environment["UTXORACLE_SOURCE"] = node.source
    return appliance


@pytest.fixture(params=["rest", "rpc"])
def interface(request, node, appliance) -> str:
    """What the node is to be asked by."""
    if request.param == "rpc":
        node.has_rest = False
        appliance.environment["UTXORACLE_SOURCE"] = node.source_with_cookie
    return str(request.param)


over_both = pytest.mark.usefixtures("interface")
"""Runs a test twice: over REST, and over JSON-RPC with a cookie."""


@pytest.fixture(scope="session")
def midst(chain) -> int:
    """Height of a block that the appliance lacks; more follow than a run fetches ahead."""
    return int(chain.tip_height - 120)
