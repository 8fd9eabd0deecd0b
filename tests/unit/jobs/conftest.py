import pytest

from utxoracle.settings import Settings
from utxoracle.sources.factory import open_source

CHAIN = "sim:seed=7,days=2,transactions=60"


@pytest.fixture(scope="session")
def source():
    """A simulated chain of two whole days, shared by the tests of all jobs."""
    return open_source(CHAIN, Settings())
