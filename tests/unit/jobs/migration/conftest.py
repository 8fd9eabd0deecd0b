import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

OTHER_DISK = Path("/dev/shm")


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


@contextmanager
def mounted(folder: Path, *options: str) -> Iterator[Path]:
    """Mount something at a folder for as long as the block runs; needs root."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount")
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", *options, folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)
