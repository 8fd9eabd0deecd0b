"""What was begun, so that a later run knows its own copies from data of somebody else."""

import json
import os
from pathlib import Path

from utxoracle.atomic import write_atomically
from utxoracle.errors import StorageError
from utxoracle.jobs.migration.layout import JOURNAL
from utxoracle.jobs.migration.tree import IN_PROGRESS


class Journal:
    """For each target: what is copied there, and of which state.

    It is written before a copy begins. The copy's name tells whether it is whole, so nothing has
    to be written when it is.
    """

    def __init__(self, base: Path) -> None:
        """Read the journal of `base`.

        Raises:
            StorageError: There is one that can't be read.
        """
        self.path = base / JOURNAL
        self._begun: dict[str, tuple[str, int]] = {}
        try:
            rows = json.loads(self.path.read_bytes())
            self._begun = {row["target"]: (row["source"], row["changed"]) for row in rows}
        except FileNotFoundError:
            pass
        except (OSError, ValueError, TypeError, KeyError):
            raise StorageError(
                f"{self.path}, which says what was copied already, can't be read: mend it, or "
                "move it away together with what was copied"
            ) from None

    def begin(self, source: Path, target: Path, changed: int) -> None:
        """Note that a copy begins, of a source that was changed last at `changed` (ns).

        Raises:
            StorageError: It can't be written, or is a link.
        """
        # Whoever owns its folder could lead root to any other file by it.
        if self.path.is_symlink():
            raise StorageError(f"{self.path} is a link: move it away")
        self._begun[str(target)] = (str(source), changed)
        rows = [
            {"target": target, "source": source, "changed": changed}
            for target, (source, changed) in self._begun.items()
        ]
        write_atomically(self.path, json.dumps(rows, indent=2).encode(), mode=0o644)

    def knows(self, source: Path, target: Path) -> bool:
        """Tell whether a copy of `source` to `target` was begun."""
        return self._begun.get(str(target), ("", 0))[0] == str(source)

    def is_done(self, source: Path, target: Path) -> bool:
        """Tell whether that copy is whole."""
        unfinished = target.with_name(target.name + IN_PROGRESS)
        return (
            self.knows(source, target)
            and not os.path.lexists(unfinished)
            and (target.is_file() or (target.is_dir() and any(target.iterdir())))
        )

    def changed_since(self, source: Path, target: Path, changed: int) -> bool:
        """Tell whether a source that was changed last at `changed` (ns) is newer than its copy."""
        return self.knows(source, target) and changed != self._begun[str(target)][1]
