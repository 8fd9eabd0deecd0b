"""Golden files put where programs can look at them: @name@ becomes a folder that is there."""

import re
from pathlib import Path

from tests.nix.golden import kept

PLACE = re.compile(r"@([\w.+-]+)@(?=[/\s]|$)", re.MULTILINE)
_PROGRAM = re.compile(r"^Exec\w+=([^\s]+)", re.MULTILINE)


def place(case: str, folder: Path) -> list[Path]:
    """Write the units of a configuration into `folder`, with programs that do nothing."""
    store = folder / "store"
    found = []
    for path, text in kept(case).items():
        kind, _, name = path.partition("/")
        if kind != "systemd":
            continue
        placed = placed_text(text, store)
        for program in map(Path, _PROGRAM.findall(placed)):
            program.parent.mkdir(parents=True, exist_ok=True)
            program.write_text("#!/bin/sh\n")
            program.chmod(0o755)
        unit = folder / name
        unit.parent.mkdir(exist_ok=True)
        unit.write_text(placed)
        # What only adds to a unit is found by systemd beside it.
        if unit.parent == folder:
            found.append(unit)
    return found


def placed_text(text: str, store: Path) -> str:
    """Return a file's text with `store` for the store."""
    return PLACE.sub(lambda found: str(store / found[1]), text)
