import pytest

from utxoracle.simulation.chain import SimulatedChain
from utxoracle.simulation.options import SimulationOptions

SMALL = SimulationOptions(days=1, transactions=20)


@pytest.fixture(scope="session")
def small_chain():
    return SimulatedChain(SMALL)
