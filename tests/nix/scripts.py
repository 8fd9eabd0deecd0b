"""Scripts of the golden files, run for real: with folders of a test in place of the machine's."""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.nix.golden import kept

BASE = "/mnt/nvme/prod/apps"
SECONDS = 60


def script(name: str, folder: Path, *, case: str = "minimal", **instead: str) -> Path:
    """Write a script, with other words for some of its own, and return where it is."""
    text = kept(case)[name]
    for there, other in instead.items():
        text = text.replace(there, other)
    path = folder / Path(name).name
    path.write_text(text)
    path.chmod(0o755)
    return path


def run(
    path: Path, *args: str, within: Sequence[str] = (), **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run it as its unit does, with nothing of this process's environment but PATH.

    `within` is the beginning of a command that runs another one.
    """
    return subprocess.run(
        [*within, "bash", str(path), *args],
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
        env={"PATH": os.environ["PATH"], **environment},
    )
