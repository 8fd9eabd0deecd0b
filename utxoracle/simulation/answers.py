"""What the simulated servers answer with."""

import json
from dataclasses import dataclass, field
from threading import Event

from utxoracle.simulation.faults import Kind

TEXT = "text/plain"
JSON = "application/json"
OCTETS = "application/octet-stream"


@dataclass(frozen=True)
class Request:
    """A request, taken apart.

    Attributes:
        method: GET, HEAD or POST.
        target: Path and query as they were sent.
        path: The path, unescaped and without the query.
        query: The first value of every name in the query.
        accept: The Accept header; empty without one.
        authorization: The Authorization header; empty without one.
        body: What came with a POST.
    """

    method: str
    target: str
    path: str
    query: dict[str, str] = field(default_factory=dict)
    accept: str = ""
    authorization: str = ""
    body: bytes = b""


@dataclass(frozen=True)
class Delivery:
    """How an answer goes wrong on its way.

    Attributes:
        kind: The way in which it does.
        healed: Ends the wait of a client that is kept waiting.
    """

    kind: Kind
    healed: Event


@dataclass(frozen=True)
class Answer:
    """An answer.

    Attributes:
        status: HTTP's number.
        content_type: As it is sent; None sends no such header.
        body: The bytes.
        headers: Further headers.
        delivery: How it goes wrong on its way; None where it doesn't.
    """

    status: int
    content_type: str | None
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()
    delivery: Delivery | None = None


def compact_json(value: object) -> bytes:
    """Return `value` as JSON without spaces, as both servers write it."""
    return json.dumps(value, separators=(",", ":")).encode()
