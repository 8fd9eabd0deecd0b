"""The API: whether it answers, and with the newest price."""

import http.client
import json
from typing import Any

from utxoracle.jobs.checks.services import API_UNITS, is_installed
from utxoracle.jobs.checks.unseen import raise_if_closed
from utxoracle.jobs.health import Check, CheckStatus
from utxoracle.settings import Settings, variable_of
from utxoracle.sources.secret_file import bearer_token

_PATH = "/api/prices/latest"
_PATIENCE = 5
"""Seconds for a connection, and for each part of an answer."""

_LONGEST = 100_000
"""Bytes of an answer."""

_ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104
"""Where a server that listens everywhere is asked."""


def api(settings: Settings, newest: int | None, *, is_known: bool = True) -> Check:
    """Check that the API answers with the newest price.

    Args:
        settings: Where it listens, and the file of its token.
        newest: Height of the newest window price, as the snapshot told it a moment ago; None
            where there is none.
        is_known: Whether the snapshot could be read.

    Raises:
        OSError: The token can't be read.
        UsageError: What its file holds is none.
    """
    if not settings.api_port:
        return Check(
            CheckStatus.UNKNOWN,
            f"its port is not known: set {variable_of('api_port')} to the one that it listens on",
        )
    host = _ANY_ADDRESS.get(settings.api_host, settings.api_host)
    place = f"http://{f'[{host}]' if ':' in host else host}:{settings.api_port}"
    path = settings.api_token_file
    headers = {}
    if path:
        raise_if_closed(path)
        headers["Authorization"] = f"Bearer {bearer_token(path, variable_of('api_token_file'))}"
    try:
        status, body = _get(host, settings.api_port, headers)
    except ConnectionRefusedError:
        return _not_running(place)
    # ValueError: the host is no name that could be looked up.
    except (OSError, ValueError, http.client.HTTPException) as error:
        return Check(
            CheckStatus.ERROR,
            f"{place} does not answer ({error or type(error).__name__}): see journalctl -u "
            "utxoracle-api, and whether another program listens there",
        )
    found = _judge(place, status, body, newest)
    if found.status is CheckStatus.OK and not is_known:
        return Check(
            CheckStatus.UNKNOWN,
            f"{found.detail}, but nothing tells whether that is right: see the check of the "
            "snapshot",
        )
    return found


def _get(host: str, port: int, headers: dict[str, str]) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(host, port, timeout=_PATIENCE)
    try:
        connection.request("GET", _PATH, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read(_LONGEST)
    finally:
        connection.close()


def _not_running(place: str) -> Check:
    if unit := next(filter(is_installed, API_UNITS), None):
        return Check(CheckStatus.ERROR, f"nothing listens at {place}: systemctl start {unit}")
    return Check(
        CheckStatus.WARNING,
        f"nothing listens at {place}: run utxoracle serve, if the API is wanted",
    )


def _judge(place: str, status: int, body: bytes, newest: int | None) -> Check:
    if status in (401, 403):
        return Check(
            CheckStatus.ERROR,
            f"{place} refuses the token: see that {variable_of('api_token_file')} names the file "
            "that the API reads, then systemctl reload utxoracle-api",
        )
    found = _object(body)
    height = found.get("height")
    if status == 404 and "error" in found and newest is None:
        return Check(CheckStatus.OK, f"{place} answers that there is no price yet")
    if status == 503 and "error" in found:
        return Check(
            CheckStatus.ERROR,
            f"{place} answers that it has no data: see the check of the snapshot, and whether the "
            "API's user may read the data folder",
        )
    if status != 200 or type(height) is not int:
        return Check(
            CheckStatus.ERROR,
            f"{place} answers with {status} and no price: see whether another program listens "
            "there, or journalctl -u utxoracle-api",
        )
    # A run may have published another snapshot since that was told.
    if newest is not None and height < newest:
        return Check(
            CheckStatus.ERROR,
            f"{place} answers with the price of block {height}, but {newest} is published: see "
            "that it serves this data folder, then systemctl restart utxoracle-api",
        )
    return Check(CheckStatus.OK, f"{place} answers with the price of block {height}")


def _object(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
