"""What real servers answered, read from the recordings beside the project."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.unit.simulation.test_recorded import FOLDER
from tests.unit.sources.asking import public_kind
from tests.unit.sources.scripted import Reply
from utxoracle.errors import SourceError

_SENT_ANYWAY = {"content-type", "content-length", "connection", "date", "transfer-encoding"}
_BINARY = re.compile(rb"<binary \d+ bytes, hex of the first 160> ([0-9a-f]+)")

needs_recordings = pytest.mark.skipif(
    not FOLDER.is_dir(),
    reason="no recorded answers at ../shared/recorded: the sources aren't tried on them",
)


@dataclass(frozen=True)
class Recording:
    """One request and its answer.

    Attributes:
        path: What was asked for, with its query.
        payload: What was posted, if anything.
        reply: The answer as it came, but for times and the length of a body that was cut. Of a
            binary body the first 160 bytes are known; zeros stand for the others.
    """

    method: str
    path: str
    payload: Any
    reply: Reply


def recording(name: str) -> Recording:
    """Return a recording by its file's name, without `.txt`."""
    request, _, answer = (FOLDER / f"{name}.txt").read_bytes().partition(b"\nHTTP/1.1 ")
    head, _, body = answer.partition(b"\n\n")
    status, *lines = head.decode().splitlines()
    headers = dict(line.split(": ", 1) for line in lines)
    lower = {key.lower(): value for key, value in headers.items()}
    method, url = request.decode().splitlines()[0].split(" ")
    payload = re.search(r"^> body: (.*)$", request.decode(), re.MULTILINE)
    split = urlsplit(url)
    return Recording(
        method=method,
        path=split.path + (f"?{split.query}" if split.query else ""),
        payload=json.loads(payload[1]) if payload else None,
        reply=Reply(
            status=int(status.split()[0]),
            content_type=lower.get("content-type", ""),
            body=_whole(body, int(lower.get("content-length", len(body)))),
            headers={key: headers[key] for key in headers if key.lower() not in _SENT_ANYWAY},
        ),
    )


def names() -> list[str]:
    """Return the names of all recordings; of none where they aren't there."""
    return sorted(path.stem for path in FOLDER.glob("[!_]*.txt"))


def _whole(body: bytes, length: int) -> bytes:
    binary = _BINARY.match(body)
    return bytes.fromhex(binary[1].decode()).ljust(length, b"\0") if binary else body[:length]


def assert_fails(ask: Callable[[], object], kind: type[SourceError], message: str) -> None:
    """Check that a question ends in an error of just this kind, in one line with this in it."""
    with pytest.raises(SourceError) as error:
        ask()
    assert public_kind(error.value) is kind
    assert message in str(error.value)
    assert "\n" not in str(error.value)
