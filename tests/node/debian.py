"""bitcoind from Debian's package `bitcoin-knots`, unpacked with all the libraries it needs.

It comes from the mirror that this machine has its Debian from. Nothing is installed: apt works in a
folder of its own, where nothing counts as installed, and so it downloads the C library too, which
makes the program run on any Linux. No rights are needed. As a program, this only downloads.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

PACKAGE = "bitcoin-knots"
SUITE = "sid"
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
SECONDS = 300

OWN_BITCOIND = "UTXORACLE_TEST_BITCOIND"
"""Variable that names a bitcoind to test with instead."""


class BitcoindUnavailable(Exception):
    """Raised when there is no bitcoind to test with; the message is one line that says why."""


def bitcoind_command() -> list[str]:
    """Return the beginning of a command that runs bitcoind, which is downloaded if need be.

    Raises:
        BitcoindUnavailable: There is none, and it can't be downloaded here.
    """
    own = os.environ.get(OWN_BITCOIND)
    if own:
        if not os.access(own, os.X_OK):
            raise BitcoindUnavailable(f"{own} ({OWN_BITCOIND}) is no program")
        return [own]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "utxoracle"
    root = cache / f"{PACKAGE}-{SUITE}"
    if not root.exists():
        _download(root)
    # The program asks for the loader of the system, whose C library may be older.
    libraries = next(root.glob("usr/lib/*-linux-gnu*"))
    loader = next(libraries.glob("ld-linux*.so.*"))
    return [str(loader), "--library-path", str(libraries), str(root / "usr/bin/bitcoind")]


def _download(root: Path) -> None:
    """Make `root`, whole or not at all."""
    missing = [tool for tool in ("apt-get", "dpkg-deb") if not shutil.which(tool)]
    missing += [] if KEYRING.exists() else [f"{KEYRING} (debian-archive-keyring)"]
    if missing:
        raise BitcoindUnavailable(
            f"bitcoind can't be downloaded without {', '.join(missing)}: set {OWN_BITCOIND} to "
            "the path of one"
        )
    root.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=root.parent) as name:
        apt, unpacked = Path(name) / "apt", Path(name) / "root"
        for package in _packages(apt):
            _run("dpkg-deb", "--extract", str(package), str(unpacked))
        unpacked.rename(root)


def _packages(apt: Path) -> list[Path]:
    """Return the package files that apt downloads into its folder."""
    (apt / "lists/partial").mkdir(parents=True)
    (apt / "archives/partial").mkdir(parents=True)
    (apt / "status").touch()
    # The mirror's dates can't be compared with a clock that is ahead, as on some test machines.
    source = f"deb [check-valid-until=no signed-by={KEYRING}] {_mirror()} {SUITE} main\n"
    (apt / "sources.list").write_text(source)
    options = {
        "Dir::State": str(apt),
        "Dir::State::status": str(apt / "status"),
        "Dir::Cache": str(apt),
        "Dir::Etc::sourcelist": str(apt / "sources.list"),
        "Dir::Etc::sourceparts": "-",
        "Dir::Etc::preferencesparts": "-",
        "APT::Install-Recommends": "false",
        "APT::Sandbox::User": "root",
        "Acquire::Languages": "none",
        "Acquire::Retries": "3",
    }
    command = ["apt-get", "-qq", *(f"-o{key}={value}" for key, value in options.items())]
    _run(*command, "update")
    _run(*command, "install", "--yes", "--download-only", PACKAGE)
    return list((apt / "archives").glob("*.deb"))


def _mirror() -> str:
    """Return the address of the mirror that this machine has its Debian from."""
    targets = ("indextargets", "--format=$(REPO_URI)", "Created-By: Packages", "Label: Debian")
    found = _run("apt-get", *targets).split()
    if not found:
        raise BitcoindUnavailable(
            f"apt knows no mirror of Debian to download bitcoind from: run apt-get update, or set "
            f"{OWN_BITCOIND} to the path of one"
        )
    return found[0]


def _run(*command: str) -> str:
    """Return what a command prints.

    Raises:
        BitcoindUnavailable: It failed.
    """
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=SECONDS)
    # Only a warning of apt's, though nothing could be fetched.
    has_failed = done.returncode != 0 or "Failed to fetch" in done.stderr
    if has_failed:
        why = (done.stderr.strip() or "it said nothing").splitlines()[0]
        raise BitcoindUnavailable(f"bitcoind can't be downloaded, {command[0]} failed: {why}")
    return done.stdout


if __name__ == "__main__":
    try:
        bitcoind_command()
    except BitcoindUnavailable as error:
        sys.exit(str(error))
