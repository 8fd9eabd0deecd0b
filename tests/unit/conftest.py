import shutil

import pytest

from tests.unit.jobs.receiving import Receiver
from utxoracle.bitcoin.network import REGTEST
from utxoracle.store.database import create_database
from utxoracle.store.folder import DataFolder


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory):
    """What init-db makes, to be copied: making it anew flushes to the disk again and again."""
    folder = DataFolder(tmp_path_factory.mktemp("store") / "data")
    create_database(folder, REGTEST)
    return folder.path


@pytest.fixture
def receiver():
    """Takes the alerts that are sent to it."""
    with Receiver() as one:
        yield one


@pytest.fixture
def folder(empty_store, tmp_path):
    """A data folder with an empty database of regtest and its snapshot."""
    return DataFolder(shutil.copytree(empty_store, tmp_path / "data"))
