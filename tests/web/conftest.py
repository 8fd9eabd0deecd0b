"""A browser, and servers on data folders that real runs on a simulated chain have filled."""

import importlib.util
import os
import shutil
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.appliance import Appliance, Node, simulated_node
from tests.unit.api.serving import Server, served
from utxoracle.simulation.chain import SimulatedChain
from utxoracle.simulation.options import SimulationOptions

if TYPE_CHECKING:
    from tests.web.browser import Browser

SCREENSHOTS = "UTXORACLE_TEST_SCREENSHOTS"
"""Variable that names the folder for pictures of the page."""

DAYS = 5

PATIENT = {
    "UTXORACLE_NETWORK": "regtest",
    # A gap of three hours between two blocks of a simulated chain is rare, but not impossible.
    "UTXORACLE_STALL_MINUTES": "1440",
    "UTXORACLE_RUN_MINUTES": "1440",
}


def missing() -> str | None:
    """Return what isn't there to test with."""
    for program in ("chromium", "chromedriver"):
        if shutil.which(program) is None:
            return f"no {program}: apt install chromium chromium-driver"
    if importlib.util.find_spec("selenium") is None:
        return "no selenium: pip install selenium"
    return None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Say once, not for each test, that there is nothing to test with."""
    reason = missing()
    ours = [item for item in items if Path(__file__).parent in item.path.parents]
    if reason and ours:
        ours[0].add_marker(pytest.mark.skip(reason=f"{len(ours)} tests of the page: {reason}"))
        items[:] = [item for item in items if item not in ours[1:]]
        config.hook.pytest_deselected(items=ours[1:])


@pytest.fixture(scope="session")
def chromium(tmp_path_factory) -> Iterator["Browser"]:
    # Not above: without selenium the tests must be collected all the same.
    from tests.web.browser import Browser

    named = os.environ.get(SCREENSHOTS)
    screenshots = Path(named) if named else tmp_path_factory.mktemp("screenshots")
    screenshots.mkdir(parents=True, exist_ok=True)
    browser = Browser(str(shutil.which("chromium")), str(shutil.which("chromedriver")), screenshots)
    yield browser
    browser.close()


@pytest.fixture
def browser(chromium) -> Iterator["Browser"]:
    """The window, in which nothing may be complained of."""
    chromium.begin()
    yield chromium
    assert chromium.problems() == []


@pytest.fixture(scope="session")
def options(chromium) -> str:
    start = datetime.now(UTC).date() - timedelta(days=DAYS)
    return f"seed=11,days={DAYS + 2},start={start},transactions=60,volatility=0.02,price=61000"


@pytest.fixture(scope="session")
def tip(options) -> int:
    """Height of the newest block that runs have seen; some more are stamped before now."""
    return int(SimulatedChain(SimulationOptions.parse(options)).newest_at(int(time.time()))) - 3


@pytest.fixture(scope="session")
def node(options) -> Iterator[Node]:
    with simulated_node(options) as node:
        yield node


@pytest.fixture(scope="session")
def appliance(node, tip, tmp_path_factory) -> Appliance:
    """A folder with the prices of some days; nothing may change it."""
    folder = tmp_path_factory.mktemp("web") / "data"
    # A made-up exchange price may be anywhere.
    appliance = Appliance(folder, node.mempool, UTXORACLE_DIVERGENCE="50").init()
    # A first run takes no more than two days.
    node.show(tip - (DAYS - 2) * 144)
    appliance.analyze()
    node.show(tip)
    appliance.analyze()
    return appliance


@pytest.fixture(scope="session")
def server(appliance) -> Iterator[Server]:
    with served(appliance.folder, env=PATIENT) as server:
        yield server


@pytest.fixture
def next_block(appliance, node, tip, tmp_path) -> Iterator[Callable[..., Appliance]]:
    """Makes a copy of the folder in which the next block is priced with other settings."""

    def make(**settings: str) -> Appliance:
        copy = appliance.copy(tmp_path / "data")
        node.show(tip + 1)
        copy.analyze(**settings)
        return copy

    yield make
    node.show(tip)
