"""The golden files: what the module makes of each configuration in cases/, evaluated and kept.

`minimal` is kept whole; of each other configuration, only what differs from it is. As a program,
this evaluates all of them again and writes the files, and docs/options.md with them:

    python -m tests.nix.golden
"""

import argparse
import hashlib
import shutil
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from tests.nix import options
from tests.nix.library import (
    HERE,
    EvaluationFailed,
    LibraryUnavailable,
    evaluate,
    library,
    revision,
)
from tests.nix.rendering import files

ROOT = HERE.parent.parent
MODULE = ROOT / "nixos-module"
GOLDEN = HERE / "golden"
SOURCES = GOLDEN / "SOURCES"
"""Checksums of what the files are made of, and of themselves; the library's commit."""

REFUSED = GOLDEN / "refused.txt"
"""What is said of each configuration in refused/."""

BASE = "minimal"
_ABSENT = "ABSENT"
"""Names a configuration's files that the base has and it hasn't."""

Files = dict[str, str]


def cases() -> list[str]:
    """Return the names of all configurations that are accepted."""
    return sorted(path.stem for path in (HERE / "cases").glob("*.nix"))


def evaluated(case: str) -> Files:
    """Return the files of a configuration as the module makes them now."""
    return files(evaluate(HERE / "cases" / f"{case}.nix", attribute="rendered"))


def kept(case: str) -> Files:
    """Return the files of a configuration as they are kept."""
    found = {} if case == BASE else kept(BASE)
    folder = GOLDEN / case
    for path in folder.rglob("*"):
        if path.is_file() and path.name != _ABSENT:
            found[str(path.relative_to(folder))] = path.read_text()
    absent = folder / _ABSENT
    for name in absent.read_text().split() if absent.exists() else ():
        del found[name]
    return found


def refused() -> list[str]:
    """Return the names of all configurations that are refused."""
    return sorted(path.stem for path in (HERE / "refused").glob("*.nix"))


def refusals(name: str) -> list[str]:
    """Return what the module says now of a configuration in refused/."""
    is_x86 = "arm" not in name
    with tempfile.NamedTemporaryFile("w", suffix=".nix") as module:
        module.write(f"(import {HERE / 'refused' / name}.nix).module")
        module.flush()
        return list(evaluate(Path(module.name), attribute="failed", is_x86=is_x86))


def checksums() -> str:
    """Return what SOURCES has to hold, but for the library's commit."""
    folders = (MODULE, HERE / "stubs", HERE / "cases", HERE / "refused")
    sources = [file for folder in folders for file in _files(folder)]
    sources += [HERE / name for name in ("evaluation.nix", "rendering.py", "options.py")]
    golden = [path for path in _files(GOLDEN) if path != SOURCES]
    return f"sources {_digest(sources)}\ngolden {_digest([*golden, options.PAGE])}\n"


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _digest(paths: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for path in paths:
        name, content = str(path.relative_to(ROOT)).encode(), path.read_bytes()
        # With their lengths, so that no other files give the same bytes.
        for part in (name, content):
            digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()


def _keep(case: str, found: Files, base: Files) -> None:
    folder = GOLDEN / case
    changed = {path: text for path, text in found.items() if base.get(path) != text}
    if absent := sorted(base.keys() - found.keys()):
        changed[_ABSENT] = "".join(f"{path}\n" for path in absent)
    for path, text in changed.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)


def write() -> None:
    """Write all golden files anew, once everything is evaluated.

    Raises:
        EvaluationFailed: Nix refuses a configuration.
        LibraryUnavailable: They can't be evaluated here.
    """
    commit = revision(library())
    base = evaluated(BASE)
    found = {case: base if case == BASE else evaluated(case) for case in cases()}
    told = {name: " | ".join(refusals(name)) for name in refused()}
    page = options.page()
    shutil.rmtree(GOLDEN)
    for case, one in found.items():
        _keep(case, one, {} if case == BASE else base)
    REFUSED.write_text("".join(f"# {name}\n{said}\n\n" for name, said in told.items()))
    options.PAGE.write_text(page)
    SOURCES.write_text(checksums() + f"library {commit}\n")


def main() -> None:
    """Write all golden files anew, or tell why they can't be."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.nix.golden",
        description="Evaluate all configurations again, and write the golden files and "
        "docs/options.md.",
    )
    parser.parse_args()
    try:
        write()
    except (EvaluationFailed, LibraryUnavailable) as error:
        sys.exit(f"{parser.prog}: {error}")


if __name__ == "__main__":
    main()
