"""What alerts remember: which are open, and who has been told."""

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from utxoracle.atomic import write_atomically
from utxoracle.sources.retry import pause

_LOCK_POLL = 0.1

Context = dict[str, str | int | float | None]
"""Figures of a message, by their names."""

_LATEST = 2**35
"""Seconds since 1970 UTC: what is later than the year 3000 is no time of an alert."""


@dataclass
class Alert:
    """An alert that is open: about a condition whose end has not been told yet.

    Attributes:
        id: Names it, for receivers that get a message twice.
        condition: What holds, for example `divergence` or `unit:utxoracle-backup.service`.
        component: The part that it is about.
        level: `warning` or `critical`.
        message: What was found, in one line.
        context: Figures.
        since: When that was, seconds since 1970 UTC.
        seen: When whoever found last that it holds began to look, the same.
        told: Whether it has been delivered.
        ended: When it was found to be over, which has not been told yet.
    """

    id: str
    condition: str
    component: str
    level: str
    message: str
    context: Context
    since: float
    seen: float
    told: bool = False
    ended: float | None = None


@dataclass(frozen=True)
class BackupReading:
    """A backup that was read whole, so that it need not be read again.

    Attributes:
        mark: Tells it from others, and from what it was before it was changed.
        fault: What is wrong with it; None if it is good.
    """

    mark: str
    fault: str | None


@dataclass
class AlertState:
    """All that is remembered of a data folder.

    Attributes:
        data_dir: The folder.
        alerts: Those that are open, by their conditions.
        backup: The backup that was read last.
        others: What is remembered of other data folders, as it was found.
    """

    data_dir: str
    alerts: dict[str, Alert] = field(default_factory=dict)
    backup: BackupReading | None = None
    others: dict[str, Any] = field(default_factory=dict)


def state_file(folder: Path) -> Path:
    """Return the file in `folder` that holds the state."""
    return folder / "alerts.json"


def read_state(folder: Path, data_dir: str) -> AlertState:
    """Return what is remembered in `folder` of a data folder.

    Raises:
        FileNotFoundError: Nothing is, yet.
        OSError: The file can't be read.
        ValueError: What it holds isn't of that form.
    """
    try:
        others = dict(json.loads(state_file(folder).read_bytes())["data_dirs"])
        content = others.pop(data_dir, {"alerts": [], "backup": None})
        alerts = [Alert(**_checked(Alert, row)) for row in content["alerts"]]
        backup = content["backup"]
        # The only figures that are no JSON: no receiver could read them.
        json.dumps([content, others], allow_nan=False)
        return AlertState(
            data_dir,
            alerts={one.condition: one for one in alerts},
            backup=_reading(**backup) if backup else None,
            others=others,
        )
    except (LookupError, TypeError, RecursionError):
        raise ValueError("not a state of alerts") from None


def write_state(folder: Path, state: AlertState) -> None:
    """Replace what is remembered.

    Raises:
        StorageError: It can't be written.
    """
    own = {
        "alerts": [asdict(one) for one in state.alerts.values()],
        "backup": asdict(state.backup) if state.backup else None,
    }
    content = {"data_dirs": state.others | {state.data_dir: own}}
    write_atomically(state_file(folder), json.dumps(content, indent=1).encode() + b"\n", mode=0o600)


@contextmanager
def state_lock(folder: Path, patience: float) -> Iterator[None]:
    """Let nobody else change the state for as long as the block runs; make the folder if need be.

    Where that can't be had, the block runs all the same: an alert that comes twice does less harm
    than one that doesn't come.

    Args:
        folder: Where the state is.
        patience: Seconds to wait for others.
    """
    handle = _opened(folder)
    if handle is None:
        yield
        return
    try:
        _wait_for(handle, patience)
        yield
    finally:
        # Not left to the end of the process, which a disk that hangs may put off.
        os.close(handle)


def _opened(folder: Path) -> int | None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return os.open(folder / "alerts.lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    except OSError:
        return None


def _wait_for(handle: int, patience: float) -> None:
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pause(_LOCK_POLL)
        except OSError:
            return
        else:
            return


_KINDS: dict[str, tuple[type, ...]] = {
    "context": (dict,),
    "since": (float, int),
    "seen": (float, int),
    "told": (bool,),
    "ended": (float, int, type(None)),
}
"""Kinds of the values of an alert that aren't text."""


def _checked(kind: type[Alert], row: dict[str, Any]) -> dict[str, Any]:
    for one in fields(kind):
        value = row[one.name]
        if not isinstance(value, _KINDS.get(one.name, (str,))):
            raise ValueError("not an alert")
        if isinstance(value, str) and not value.isprintable():
            raise ValueError("not the text of an alert")
        if isinstance(value, float | int) and not 0 <= value < _LATEST:
            raise ValueError("not the time of an alert")
    return row


def _reading(mark: str, fault: str | None) -> BackupReading:
    if not isinstance(mark, str) or not isinstance(fault, str | None):
        raise ValueError("not a reading of a backup")
    return BackupReading(mark, fault)
