"""The library part of nixpkgs, by which the module is evaluated: where it is, how it gets there.

It can't be part of this repository, and a machine without a network doesn't have it: then what was
evaluated before, the golden files, is all there is to check. As a program, this puts it into its
place, from a clone or an address of github.com/nix-community/nixpkgs.lib:

    python -m tests.nix.library https://github.com/nix-community/nixpkgs.lib
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent

OWN_LIBRARY = "NIXPKGS_LIB"
"""Variable that names a folder with another copy: one that holds lib/default.nix."""

_REVISION = "REVISION"


class LibraryUnavailable(Exception):
    """Raised when the module can't be evaluated here; the message is one line that says why."""


class EvaluationFailed(Exception):
    """Raised when Nix refuses a configuration before its assertions; the message is Nix's."""


def library() -> Path:
    """Return the folder that holds lib/.

    Raises:
        LibraryUnavailable: There is none, or no Nix.
    """
    own = os.environ.get(OWN_LIBRARY)
    folder = Path(own) if own else _cache()
    if not shutil.which("nix-instantiate"):
        raise LibraryUnavailable("there is no nix-instantiate here (Debian's nix-bin has it)")
    if not (folder / "lib" / "default.nix").is_file():
        raise LibraryUnavailable(
            f"nixpkgs' library is not in {folder}: python -m tests.nix.library "
            f"https://github.com/nix-community/nixpkgs.lib puts it there, or set {OWN_LIBRARY}"
        )
    return folder


def revision(folder: Path) -> str:
    """Return the commit that a copy of the library is of."""
    file = folder / _REVISION
    return file.read_text().strip() if file.is_file() else "unknown"


def evaluate(case: Path, *, attribute: str, is_x86: bool = True) -> Any:
    """Return what evaluation.nix gives for a configuration.

    Args:
        case: The file of the configuration.
        attribute: Which part of it: rendered, failed or documented.
        is_x86: Whether it is for x86_64.

    Raises:
        EvaluationFailed: Nix refuses it.
        LibraryUnavailable: It can't be evaluated here.
    """
    command = [
        "nix-instantiate", "--eval", "--strict", "--json", "--store", "dummy://",
        str(HERE / "evaluation.nix"), "--attr", attribute,
        "--arg", "libPath", str(library().resolve() / "lib"),
        "--arg", "case", str(case),
        "--arg", "isX86", "true" if is_x86 else "false",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    if done.returncode:
        raise EvaluationFailed(done.stderr.strip())
    return json.loads(done.stdout)


def _cache() -> Path:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "utxoracle" / "nixpkgs.lib"


def _unpack(source: str) -> Path:
    """Put the library of a clone, or of an address that git can read, into the cache.

    Raises:
        LibraryUnavailable: It isn't there, or there is no git.
        OSError: The cache can't be written.
    """
    if not shutil.which("git"):
        raise LibraryUnavailable("there is no git here")
    target = _cache()
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as name:
        clone, new = Path(name) / "clone", Path(name) / "new"
        # A clone on this machine is as shallow only as one that is far away.
        _git(source, "clone", "--quiet", "--no-local", "--depth=1", "--", source, str(clone))
        for needed in ("lib/default.nix", "COPYING"):
            if not (clone / needed).is_file():
                raise LibraryUnavailable(f"{source} is not nixpkgs.lib: it has no {needed}")
        new.mkdir()
        for part in ("lib", "COPYING"):
            shutil.move(clone / part, new)
        (new / _REVISION).write_text(_git(source, "-C", str(clone), "rev-parse", "HEAD"))
        shutil.rmtree(target, ignore_errors=True)
        new.rename(target)
    return target


def _git(source: str, *arguments: str) -> str:
    # Some servers ask for a password where an address isn't there; and its words are looked at.
    environment = os.environ | {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
    done = subprocess.run(
        ["git", *arguments], capture_output=True, text=True, check=False, env=environment
    )
    if done.returncode:
        # Advice may follow, in lines of its own.
        lines = [line for line in done.stderr.splitlines() if line.startswith("fatal: ")]
        why = lines[0].removeprefix("fatal: ") if lines else f"git ends with {done.returncode}"
        raise LibraryUnavailable(f"{source} can't be cloned: {why}")
    return done.stdout


def main() -> None:
    """Put the library into its place, and tell where that is."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.nix.library",
        description="Put the library part of nixpkgs where the tests look for it.",
    )
    parser.add_argument(
        "source",
        metavar="CLONE-OR-ADDRESS",
        help="of github.com/nix-community/nixpkgs.lib",
    )
    source = parser.parse_args().source
    try:
        print(_unpack(source))
    except (LibraryUnavailable, OSError) as error:
        sys.exit(f"{parser.prog}: {error}")


if __name__ == "__main__":
    main()
