"""`/`: the page, with the newest price in it; for programs that ask for JSON, what there is."""

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from html import escape

from falcon import (
    HTTP_SERVICE_UNAVAILABLE,
    MEDIA_HTML,
    MEDIA_JSON,
    Request,
    Response,
)

from utxoracle import __version__
from utxoracle.api.access import Access
from utxoracle.api.answers import Answers
from utxoracle.api.entry import as_json, window_entry
from utxoracle.api.headers import PAGE_POLICY, POLICY, etag_of, is_not_modified
from utxoracle.api.problems import RETRY_SECONDS
from utxoracle.api.static import Assets
from utxoracle.errors import StorageError
from utxoracle.settings import Settings
from utxoracle.store.queries import Reader
from utxoracle.store.rows import WindowRow

OK = "ok"
STALE = "stale"
INVALID = "invalid"
EMPTY = "empty"
"""How the newest price is."""

_NO_PRICE = {
    "price": "none yet",
    "label": "",
    "exchange": "none",
    "difference": "none",
    "confidence": "none",
    "height": "none",
    "timestamp": "",
    "time": "none",
    "network": "",
}


class Page:
    """The page, filled in by the server, so that it tells the price without JavaScript."""

    def __init__(
        self,
        answers: Answers,
        assets: Assets,
        access: Access,
        settings: Settings,
        places: Sequence[str],
    ) -> None:
        """Show what `answers` tells to whom `access` knows; `places` are what JSON lists."""
        self._answers = answers
        self._assets = assets
        self._access = access
        self._stall_minutes = settings.stall_minutes
        self._places = as_json(
            {"name": "utxoracle", "version": __version__, "endpoints": [*places]}
        )

    def on_get(self, request: Request, response: Response) -> None:
        """Answer with the page, also when there is nothing to show in it: then with the reason.

        The status is 503 where there is no snapshot, as everywhere else.
        """
        response.vary = ["Accept", "Authorization"]
        response.cache_control = ["no-cache"]
        if request.client_prefers((MEDIA_HTML, MEDIA_JSON)) == MEDIA_JSON:
            response.content_type = MEDIA_JSON
            response.data = self._places
            return
        response.set_header(POLICY, PAGE_POLICY)
        try:
            shown = self._shown(is_trusted=self._access.knows(request))
        except StorageError as error:
            response.status = HTTP_SERVICE_UNAVAILABLE
            response.retry_after = RETRY_SECONDS
            response.cache_control = ["no-store"]
            response.content_type = MEDIA_HTML
            response.data = self._render({**_NO_PRICE, "state": EMPTY, "message": str(error)})
            return
        body = self._render(shown)
        # Of the content itself: it depends on the clock and on who asks, not on prices alone.
        if not is_not_modified(request, response, etag_of(body)):
            response.content_type = MEDIA_HTML
            response.data = body

    on_head = on_get

    def _shown(self, *, is_trusted: bool) -> Mapping[str, str]:
        if not is_trusted:
            message = "This service shows its prices only to those who bring its token."
            return {**_NO_PRICE, "price": "hidden", "state": EMPTY, "message": message}
        row, network = self._answers.fact(("newest",), _newest)
        if row is None:
            message = "There is no price yet: the first comes with the 145th stored block."
            return {**_NO_PRICE, "network": network, "state": EMPTY, "message": message}
        return {**_price(row), "network": network, **self._state(row)}

    def _state(self, row: WindowRow) -> Mapping[str, str]:
        state, messages = OK, []
        if time.time() - row.time > self._stall_minutes * 60:
            state = STALE
            messages.append(
                f"The newest block is older than {self._stall_minutes:g} minutes, so this price is "
                "out of date: /health says more."
            )
        if not row.facts.is_valid:
            # Worse than old: it never was a price to go by.
            state = INVALID
            messages.insert(0, f"The newest price is not valid: {row.facts.invalid_reason}.")
        return {"state": state, "message": " ".join(messages)}

    def _render(self, shown: Mapping[str, str]) -> bytes:
        values = {
            **shown,
            "static": self._assets.prefix,
            "stall_minutes": f"{self._stall_minutes:g}",
            "version": __version__,
        }
        if not self._assets.has_charts:
            values["message"] += " Charts are missing: this copy of the program lacks Plotly."
        escaped = {name: escape(value.strip()) for name, value in values.items()}
        return self._assets.template.substitute(escaped).encode()


def _newest(reader: Reader) -> tuple[WindowRow | None, str]:
    return reader.latest_window(), reader.network


def _price(row: WindowRow) -> Mapping[str, str]:
    entry = window_entry(row)
    return {
        "price": _written("${:,.0f}", entry["utxoracle_price"]),
        "label": entry["label"] or "",
        "exchange": _written("${:,.0f}", entry["mempool_price"]),
        "difference": _written("{:+.2f} %", entry["diff_percent"]),
        "confidence": _written("{:.2f}", entry["confidence"]),
        "height": f"{row.height:,}",
        "timestamp": entry["timestamp"],
        "time": f"{datetime.fromtimestamp(row.time, UTC):%Y-%m-%d %H:%M} UTC",
    }


def _written(form: str, value: float | None) -> str:
    return "none" if value is None else form.format(value)
