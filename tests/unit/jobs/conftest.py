import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.containers import without_containers
from utxoracle.settings import Settings
from utxoracle.sources.factory import open_source

OTHER_DISK = Path("/dev/shm")

CHAIN = "sim:seed=7,days=2,transactions=60"


@pytest.fixture(scope="session")
def source():
    """A simulated chain of two whole days, shared by the tests of all jobs."""
    return open_source(CHAIN, Settings())


@pytest.fixture
def machine(tmp_path) -> Path:
    """The root of a machine that has nothing but a temporary folder."""
    (tmp_path / "machine" / "tmp").mkdir(parents=True)
    return tmp_path / "machine"


@pytest.fixture
def other_disk(tmp_path) -> Iterator[Path]:
    """A folder on another file system than `tmp_path`."""
    with tempfile.TemporaryDirectory(dir=OTHER_DISK, prefix="utxoracle-") as name:
        assert Path(name).stat().st_dev != tmp_path.stat().st_dev
        yield Path(name)


@pytest.fixture
def base(tmp_path) -> Path:
    """The folder that an old tree is taken to."""
    (tmp_path / "new").mkdir()
    return tmp_path / "new"


@pytest.fixture
def plain_path(monkeypatch, tmp_path_factory):
    """Find only the system's own programs, and no container whatever this machine runs."""
    plain = "/usr/bin:/bin"
    # In Nix there is nothing, and what is on PATH is as plain.
    if shutil.which("tar", path=plain):
        monkeypatch.setenv("PATH", plain)
    monkeypatch.setenv("PATH", without_containers(tmp_path_factory.mktemp("programs")))
