import pytest
import requests

from utxoracle.simulation.chain import SimulatedChain
from utxoracle.simulation.options import SimulationOptions
from utxoracle.simulation.server import SimulationServer

SMALL = SimulationOptions(days=1, transactions=20)


@pytest.fixture(scope="session")
def small_chain():
    return SimulatedChain(SMALL)


@pytest.fixture(scope="module")
def server(small_chain):
    with SimulationServer(small_chain) as running:
        yield running


@pytest.fixture
def http():
    with requests.Session() as session:
        session.trust_env = False
        session.headers["Accept-Encoding"] = "identity"
        yield session
