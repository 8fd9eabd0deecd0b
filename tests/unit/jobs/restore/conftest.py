"""A data folder with a backup that is some blocks older."""

import shutil

import pytest

from tests.appliance import Appliance
from tests.unit.jobs.backing import of_day
from tests.unit.jobs.restore.restoring import NEW, OLD, leave_a_log, store
from utxoracle.settings import Settings
from utxoracle.store.folder import DataFolder


@pytest.fixture(scope="module")
def template(empty_store, tmp_path_factory):
    """A data folder up to NEW with a backup up to OLD, to be copied."""
    folder = DataFolder(shutil.copytree(empty_store, tmp_path_factory.mktemp("made") / "data"))
    store(folder, 1, OLD)
    of_day(folder.snapshot, folder.path / "backups", 2)
    store(folder, OLD + 1, NEW)
    return folder.path


@pytest.fixture
def data(template, tmp_path):
    return DataFolder(shutil.copytree(template, tmp_path / "data"))


@pytest.fixture(scope="module")
def log(template, tmp_path_factory):
    """The log that a killed run leaves which has stored one more block there."""
    folder = DataFolder(shutil.copytree(template, tmp_path_factory.mktemp("logged") / "data"))
    leave_a_log(folder, NEW + 1)
    return folder.wal


@pytest.fixture
def settings(data):
    return Settings(data_dir=data.path)


@pytest.fixture
def saved(data):
    """The backup."""
    return next((data.path / "backups").glob("*.db"))


@pytest.fixture
def appliance(data):
    """The commands on that data folder, each in a process of its own."""
    return Appliance(data.path, "")
