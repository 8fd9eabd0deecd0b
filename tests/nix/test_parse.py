import shutil
import subprocess

import pytest

from tests.nix.golden import ROOT

FILES = sorted(path for path in ROOT.rglob("*.nix") if not path.is_relative_to(ROOT / ".venv"))


def test_there_are_files_of_nix():
    assert ROOT / "nixos-module" / "default.nix" in FILES


@pytest.mark.skipif(not shutil.which("nix-instantiate"), reason="there is no nix-instantiate here")
@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_file_of_nix_parses(path):
    done = subprocess.run(
        ["nix-instantiate", "--parse", str(path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert not done.stderr


@pytest.mark.skipif(
    not shutil.which("nixfmt"),
    reason="the format isn't checked: nixfmt is in no package here, nix flake check has it",
)
def test_every_file_of_nix_is_formatted():
    done = subprocess.run(
        ["nixfmt", "--check", *map(str, FILES)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr


def test_no_file_of_the_module_is_long():
    assert not [path for path in FILES if len(path.read_text().splitlines()) > 400]
