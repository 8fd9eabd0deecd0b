"""`/health`: how things are, for whoever watches the service."""

import time
from collections.abc import Callable
from typing import Any

from falcon import HTTP_OK, HTTP_SERVICE_UNAVAILABLE, MEDIA_JSON, Request, Response

from utxoracle import __version__
from utxoracle.api.answers import Answers
from utxoracle.api.entry import as_json
from utxoracle.api.problems import RETRY_SECONDS
from utxoracle.errors import StorageError
from utxoracle.jobs.health import CheckStatus, HealthStatus, health, read_stored
from utxoracle.jobs.health import Health as Found
from utxoracle.settings import Settings
from utxoracle.sources.days import rfc3339
from utxoracle.sources.preference import State
from utxoracle.store.folder import DataFolder
from utxoracle.store.last_run import read_last_run


class Watch:
    """Finds out how things are."""

    def __init__(
        self,
        answers: Answers,
        folder: DataFolder,
        settings: Settings,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._answers = answers
        self._folder = folder
        self._settings = settings
        self.clock = clock

    def look(self) -> Found:
        """Return how things are now."""
        try:
            stored = self._answers.fact(("stored",), read_stored)
            trouble = self._answers.trouble
        except StorageError as error:
            stored, trouble = None, str(error)
        return health(stored, trouble, read_last_run(self._folder), self._settings, self.clock())


class Health:
    """Whether the newest price can be relied upon; never kept, and told without a snapshot too."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._started_at = watch.clock()
        self._started = time.monotonic()

    def on_get(self, request: Request, response: Response) -> None:
        """Answer with what was found; 503 where the price can't be relied upon."""
        began = time.perf_counter()
        found = self._watch.look()
        latency = time.perf_counter() - began
        response.content_type = MEDIA_JSON
        response.cache_control = ["no-store"]
        response.status = HTTP_OK
        if found.status is HealthStatus.UNHEALTHY:
            response.status = HTTP_SERVICE_UNAVAILABLE
            response.retry_after = RETRY_SECONDS
        stored, run = found.stored, found.last_run
        missing = stored.missing_days if stored else ()
        response.data = as_json(
            {
                "status": found.status,
                "timestamp": rfc3339(found.now),
                "version": __version__,
                "network": stored.network if stored else run.network if run else None,
                "uptime_seconds": round(time.monotonic() - self._started, 3),
                "started_at": rfc3339(self._started_at),
                "reasons": found.reasons,
                "checks": _checks(found, latency),
                "database": "connected" if stored else "disconnected",
                "gaps_detected": len(missing),
                "missing_dates": [str(day) for day in missing],
            }
        )

    on_head = on_get


def _checks(found: Found, latency: float) -> dict[str, dict[str, Any]]:
    own = {
        name: {"status": check.status, "detail": check.detail}
        for name, check in found.checks.items()
    }
    # What clients of the hand-made predecessor look at.
    return own | {
        "database": _database(found, latency),
        "mempool_backend": _source(found, lambda name, route: name.startswith("mempool ")),
        "electrs": _source(found, lambda name, route: route.startswith("electrs ")),
    }


def _database(found: Found, latency: float) -> dict[str, Any]:
    snapshot = found.checks["snapshot"]
    is_read = found.stored is not None
    return {
        "status": snapshot.status,
        "detail": snapshot.detail,
        "latency_ms": round(1000 * latency, 3) if is_read else None,
        "error": None if is_read else snapshot.detail,
        "last_success": rfc3339(found.now) if is_read else None,
    }


def _source(found: Found, is_meant: Callable[[str, str], bool]) -> dict[str, Any]:
    """Return how the last run found the first source that is meant, told by name and route."""
    run = found.last_run
    for one in run.sources if run else ():
        name, state = str(one["name"]), str(one["state"])
        if run and is_meant(name, run.routes.get(name, "")):
            is_well = state in (State.OK, State.UNASKED)
            return {
                "status": CheckStatus.OK if is_well else CheckStatus.ERROR,
                "detail": f"{name} {state}",
                "latency_ms": None,
                "error": None if is_well else state,
                "last_success": rfc3339(run.finished) if state == State.OK else None,
            }
    return {
        "status": CheckStatus.UNKNOWN,
        "detail": "the last run had no such source",
        "latency_ms": None,
        "error": None,
        "last_success": None,
    }
