"""What the last run did, for whoever wants to know without opening the database."""

import json
import re
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from typing import Any, get_args

from utxoracle.atomic import write_atomically
from utxoracle.store.folder import DataFolder

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")

FileMarks = dict[str, list[int]]
"""Inode, size in bytes and time of the last change in ns, of the database and the snapshot."""

SourceRows = list[dict[str, str | int | None]]
"""Name, state and height of the newest block (None where it isn't known) of each source."""

Routes = dict[str, str]


@dataclass(frozen=True)
class LastRun:
    """A run that ended, however it did.

    Attributes:
        started: When it began, seconds since 1970 UTC, in whole ms.
        finished: When it ended, the same.
        succeeded: When the last run that went well ended, the same; None if none has.
        exit_code: 0 when all went well.
        message: What it did or why it failed, in one line.
        network: Name of the network that it followed.
        state: How the chain or its sources were: one of `sources.preference.State`, or `stalled`;
            None when the run failed for another reason.
        source: Kind and place of the source that was used last, without credentials.
        sources: How each source was found, in order of preference.
        routes: How the sources wanted to be asked (`Source.route`), by their names.
        tip_height: Height of the newest block of the source.
        tip_hash: Its hash.
        tip_time: Its time stamp.
        revision: Revision of the database and of what is published.
        files: Marks of both files when it ended; None when something is left to put in order.
        caught_up: Whether nothing was left to do.
    """

    started: float
    finished: float
    succeeded: float | None
    exit_code: int
    message: str
    state: str | None
    network: str | None
    source: str | None
    sources: SourceRows
    routes: Routes
    tip_height: int | None
    tip_hash: str | None
    tip_time: int | None
    revision: int | None
    files: FileMarks | None
    caught_up: bool


NO_RUN = LastRun(
    started=0.0,
    finished=0.0,
    succeeded=None,
    exit_code=0,
    message="",
    state=None,
    network=None,
    source=None,
    sources=[],
    routes={},
    tip_height=None,
    tip_hash=None,
    tip_time=None,
    revision=None,
    files=None,
    caught_up=False,
)
"""What is known before the first run has ended."""


def read_last_run(folder: DataFolder) -> LastRun | None:
    """Return what the last run left, None when it isn't there or isn't of that form."""
    try:
        content = json.loads(folder.last_run.read_bytes())
        return LastRun(
            **{one.name: _checked(one.type, content[one.name]) for one in fields(LastRun)}
        )
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return None


def write_last_run(folder: DataFolder, run: LastRun) -> None:
    """Replace what the run before left.

    Raises:
        StorageError: It can't be written.
    """
    content = asdict(run) | {
        "started": _rfc3339(run.started),
        "finished": _rfc3339(run.finished),
        "succeeded": None if run.succeeded is None else _rfc3339(run.succeeded),
    }
    write_atomically(folder.last_run, json.dumps(content, indent=1).encode() + b"\n", mode=0o640)


def file_marks(folder: DataFolder) -> FileMarks | None:
    """Return marks that change when database or snapshot are written or replaced.

    None when one is missing, or when a log of commits is there.
    """
    try:
        if folder.wal.exists():
            return None
        return {
            name: [status.st_ino, status.st_size, status.st_mtime_ns]
            for name, status in (
                ("database", folder.database.stat()),
                ("snapshot", folder.snapshot.stat()),
            )
        }
    except OSError:
        return None


def _rfc3339(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")[:-6] + "Z"


def _checked(kind: Any, value: Any) -> Any:
    """Return a field's value from what JSON holds for it.

    Raises:
        ValueError: It is of another kind.
    """
    if float in (kind, *get_args(kind)):
        if value is None and kind is not float:
            return None
        if not _TIME.fullmatch(value):
            raise ValueError("not a time")
        return datetime.fromisoformat(value).timestamp()
    if FileMarks in get_args(kind):
        if not _are_marks(value):
            raise ValueError("not marks of files")
        return value
    if kind == SourceRows:
        return [
            {
                "name": _checked(str, row["name"]),
                "state": _checked(str, row["state"]),
                "height": _checked(int | None, row["height"]),
            }
            for row in _checked(list, value)
        ]
    if kind == Routes:
        return {name: _checked(str, route) for name, route in _checked(dict, value).items()}
    # bool is a kind of int in Python, but not here.
    if type(value) not in (kind, *get_args(kind)):
        raise ValueError(f"not of type {kind}")
    return value


def _are_marks(value: Any) -> bool:
    return value is None or (
        isinstance(value, dict)
        and all(
            isinstance(mark, list) and [type(one) for one in mark] == [int] * 3
            for mark in value.values()
        )
    )
