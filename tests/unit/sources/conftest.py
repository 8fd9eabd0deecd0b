import socket

import pytest

from tests.unit.sources.node import INFO, open_node
from tests.unit.sources.scripted import ScriptedServer, as_json
from utxoracle.simulation.chain import SimulatedChain
from utxoracle.simulation.options import SimulationOptions

OPTIONS = "seed=5,days=1,transactions=3,blocks_per_day=24"


@pytest.fixture
def server():
    with ScriptedServer() as one:
        yield one


@pytest.fixture(scope="session")
def chain():
    return SimulatedChain(SimulationOptions.parse(OPTIONS))


@pytest.fixture
def closed_port():
    """A port of this machine that refuses connections for as long as the test runs."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]


@pytest.fixture
def pauses(monkeypatch):
    """The seconds of every pause between attempts, none of which is waited."""
    made = []
    monkeypatch.setattr("utxoracle.sources.http.pause", made.append)
    return made


@pytest.fixture
def rest(server):
    """A bitcoind with REST."""
    server.replies["/rest/chaininfo.json"] = as_json(INFO)
    source = open_node(server)
    yield source
    source.close()


@pytest.fixture
def rpc(server):
    """A bitcoind without REST."""
    source = open_node(server)
    yield source
    source.close()
