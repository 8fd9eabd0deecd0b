"""The file of settings, as the program reads it, and the check that the build makes of it."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.nix.golden import cases, kept
from tests.nix.options import PAGE
from utxoracle.settings import Settings

ENV = "etc/utxoracle/utxoracle.env"
CHECK = "checks/utxoracle/utxoracle.env"
KNOWN = [one.metadata["variable"] for one in Settings.__dataclass_fields__.values()]


def read(text, folder):
    """Return what a shell takes from the file, as people's commands do."""
    file = folder / "utxoracle.env"
    file.write_text(text)
    shell = f"set -a; . {file}; exec env -0"
    done = subprocess.run(
        ["env", "-i", "bash", "-c", shell], capture_output=True, text=True, check=True, timeout=60
    )
    pairs = (entry.partition("=") for entry in done.stdout.split("\0"))
    return {name: value for name, _, value in pairs if name.startswith("UTXORACLE_")}


@pytest.mark.parametrize("case", cases())
def test_the_program_takes_every_setting(case, tmp_path):
    found = read(kept(case)[ENV], tmp_path)
    settings = Settings.from_environment(found)
    assert settings.source
    assert settings.data_folder({}) != settings.backup_folder({})
    assert settings.api_port


def test_settings_keep_their_spaces_and_numbers(tmp_path):
    settings = Settings.from_environment(read(kept("full")[ENV], tmp_path))
    assert settings.api_open_parts == {"page", "health"}
    assert settings.divergence == 2.5
    assert settings.backup_keep_days == 90
    assert settings.backup_dir == Path("/mnt/usb/utxoracle")
    assert settings.mount_point == "/mnt/nvme"
    assert settings.source == (
        "mempool+http://127.0.0.1:8999 "
        "bitcoind+http://127.0.0.1:8332?cookie=/var/lib/bitcoind-mainnet/.cookie"
    )


def test_consent_to_the_root_disk_is_told_to_the_program(tmp_path):
    assert read(kept("root-disk")[ENV], tmp_path)["UTXORACLE_MOUNT_POINT"] == "none"


def test_the_module_names_no_setting_that_there_is_not():
    named = set(re.findall(r"UTXORACLE_[A-Z_]+[A-Z]", PAGE.read_text()))
    assert named <= {*KNOWN}


@pytest.mark.parametrize(
    ("line", "refusal"),
    [
        ("", None),
        ("UTXORACLE_DIVERGENC=3", "there is no setting UTXORACLE_DIVERGENC"),
        ("UTXORACLE_API_WORKERS=many", "UTXORACLE_API_WORKERS must be a whole number"),
    ],
)
def test_what_the_program_would_refuse_fails_the_build(line, refusal, tmp_path):
    python = tmp_path / "python"
    (python / "bin").mkdir(parents=True)
    (python / "bin" / "python").symlink_to(sys.executable)
    env = tmp_path / "utxoracle.env"
    env.write_text(f"{kept('full')[ENV]}{line}\n")
    done = subprocess.run(
        ["bash", "-euc", kept("full")[CHECK].replace("@python@", str(python))],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={"target": str(env), "PATH": os.environ["PATH"], "PYTHONPATH": str(Path.cwd())},
    )
    assert done.stdout == ""
    if refusal is None:
        assert (done.returncode, done.stderr) == (0, "")
    else:
        assert done.returncode != 0
        assert done.stderr.startswith(f"services.utxoracle.settings: {refusal}")
