"""Programs of Debian's packages, unpacked with all the libraries they need.

They come from the mirror that this machine has its Debian from, of whatever release. Nothing is
installed: apt works in a folder of its own, where nothing counts as installed, and so it downloads
the C library too, which makes a program run on any Linux. No rights are needed.
"""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
SECONDS = 300


class ProgramUnavailable(Exception):
    """Raised when a program can't be had; the message is one line that says why."""


def debian_program(package: str, suite: str, program: str) -> list[str]:
    """Return the beginning of a command that runs a program, which is downloaded if need be.

    Args:
        package: The package that it is in.
        suite: The release, for example trixie.
        program: Its path in the package, without the first slash.

    Raises:
        ProgramUnavailable: It can't be downloaded here.
    """
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "utxoracle"
    root = cache / f"{package}-{suite}"
    if not root.exists():
        _download(package, suite, root)
    # The program asks for the loader of the system, whose C library may be older.
    libraries = next(root.glob("usr/lib/*-linux-gnu*"))
    loader = next(libraries.glob("ld-linux*.so.*"))
    # Libraries of one program alone are in a folder of its name.
    path = f"{libraries}:{libraries / package}"
    return [str(loader), "--library-path", path, str(root / program)]


def _download(package: str, suite: str, root: Path) -> None:
    """Make `root`, whole or not at all."""
    missing = [tool for tool in ("apt-get", "dpkg-deb") if not shutil.which(tool)]
    missing += [] if KEYRING.exists() else [f"{KEYRING} (debian-archive-keyring)"]
    if missing:
        raise ProgramUnavailable(f"{package} can't be downloaded without {', '.join(missing)}")
    root.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=root.parent) as name:
        apt, unpacked = Path(name) / "apt", Path(name) / "root"
        for file in _packages(package, suite, apt):
            _run("dpkg-deb", "--extract", str(file), str(unpacked))
        try:
            unpacked.rename(root)
        except OSError:
            # Another test may have been faster.
            if not root.exists():
                raise


def _packages(package: str, suite: str, apt: Path) -> list[Path]:
    """Return the package files that apt downloads into its folder."""
    (apt / "lists/partial").mkdir(parents=True)
    (apt / "archives/partial").mkdir(parents=True)
    (apt / "status").touch()
    # The mirror's dates can't be compared with a clock that is ahead, as on some test machines.
    source = f"deb [check-valid-until=no signed-by={KEYRING}] {mirror()} {suite} main\n"
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
    _run(*command, "install", "--yes", "--download-only", package)
    return list((apt / "archives").glob("*.deb"))


def mirror() -> str:
    """Return the address of the mirror that this machine has its Debian from."""
    targets = ("indextargets", "--format=$(REPO_URI)", "Created-By: Packages", "Label: Debian")
    found = _run("apt-get", *targets).split()
    if not found:
        raise ProgramUnavailable("apt knows no mirror of Debian: run apt-get update")
    return found[0]


def _run(*command: str) -> str:
    """Return what a command prints.

    Raises:
        ProgramUnavailable: It failed.
    """
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=SECONDS)
    # Only a warning of apt's, though nothing could be fetched.
    has_failed = done.returncode != 0 or "Failed to fetch" in done.stderr
    if has_failed:
        why = (done.stderr.strip() or "it said nothing").splitlines()[0]
        raise ProgramUnavailable(f"it can't be downloaded, {command[0]} failed: {why}")
    return done.stdout
