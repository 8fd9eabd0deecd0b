"""The routes below `/simulation/`: by them the chain is moved, and faults are set."""

import json
from collections import deque
from collections.abc import Sequence
from threading import Lock
from typing import Any, Protocol

from utxoracle.errors import UsageError
from utxoracle.simulation.answers import JSON, Answer, Request, compact_json
from utxoracle.simulation.mempool import no_such_route
from utxoracle.simulation.view import ServedChain

CONTROL_PREFIX = "/simulation/"
MOST_REQUESTS = 10_000


class RequestLog:
    """The newest requests that were not yet told of; safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._lines: deque[str] = deque(maxlen=MOST_REQUESTS)

    def record(self, request: Request) -> None:
        """Note a request, and forget the oldest one when there are too many."""
        with self._lock:
            self._lines.append(f"{request.method} {request.target}")

    def take(self) -> list[str]:
        """Return method and target of each request, the oldest first, and forget them."""
        with self._lock:
            lines = list(self._lines)
            self._lines.clear()
        return lines


class Faulty(Protocol):
    """Something whose faults can be set."""

    @property
    def faults(self) -> list[str]:
        """The faults that are left."""
        ...

    def set_faults(self, faults: Sequence[str]) -> None:
        """Replace the faults."""
        ...


class ControlRoutes:
    """Answers for everything below `/simulation/`.

    Args:
        served: The chain, for `/simulation/tip` and `/simulation/fork`.
        log: What `/simulation/requests` tells.
        server: What `/simulation/faults` is about.
    """

    def __init__(self, served: ServedChain, log: RequestLog, server: Faulty) -> None:
        self._served = served
        self._log = log
        self._server = server

    def answer(self, request: Request) -> Answer:
        """Return the answer to a request, after having done what it orders."""
        is_post = request.method == "POST"
        try:
            match request.path.removeprefix(CONTROL_PREFIX):
                case "tip":
                    if is_post:
                        self._move(json.loads(request.body))
                    return self._tip()
                case "fork" if is_post:
                    self._fork(json.loads(request.body))
                    return self._tip()
                case "faults":
                    if is_post:
                        self._set_faults(json.loads(request.body))
                    return Answer(200, JSON, compact_json({"faults": self._server.faults}))
                case "requests" if is_post:
                    return Answer(200, JSON, compact_json({"requests": self._log.take()}))
        except (UsageError, ValueError) as error:
            return Answer(400, JSON, compact_json({"error": str(error)}))
        return no_such_route(request.method, request.path)

    def _tip(self) -> Answer:
        view = self._served.view
        facts = {
            "height": view.tip,
            "hash": view.chain.hash_at(view.tip),
            "time": view.chain.time_at(view.tip),
        }
        return Answer(200, JSON, compact_json(facts))

    def _move(self, order: Any) -> None:
        match order:
            case {"height": int(height), **others} if not others:
                self._served.move_tip(height)
            case {"by": int(blocks), **others} if not others:
                self._served.advance_tip(blocks)
            case _:
                raise UsageError('the body must be {"height": N} or {"by": N}')

    def _fork(self, order: Any) -> None:
        match order:
            case {"height": int(height), "tip": int(tip), **others} if not others:
                self._served.fork(height, tip)
            case _:
                raise UsageError('the body must be {"height": N, "tip": N}')

    def _set_faults(self, order: Any) -> None:
        match order:
            case {"faults": [*faults], **others} if not others and all(
                isinstance(fault, str) for fault in faults
            ):
                self._server.set_faults(faults)
            case _:
                raise UsageError('the body must be {"faults": ["KIND@STEP*TIMES", ...]}')
