"""Clients that tests ask with, and the one line in which a failure is told."""

from dataclasses import replace
from typing import Any

import pytest

from utxoracle.errors import SourceError
from utxoracle.sources.endpoint import parse_endpoint
from utxoracle.sources.http import ClientSettings, HttpClient

QUICK = ClientSettings(connect=0.3, read=0.3, variable="X_TIMEOUT", retries=0, ca_file=None)


def client_of(url: str, *, is_elsewhere: bool = False, **changes: Any) -> HttpClient:
    """Return a client of `url` that gives up quickly, with `changes` to its settings.

    Args:
        url: Where the server is.
        is_elsewhere: Whether it is taken for one that isn't this machine.
        changes: Other settings.
    """
    endpoint = parse_endpoint(url)
    endpoint = replace(endpoint, loopback=endpoint.loopback and not is_elsewhere)
    return HttpClient("mempool", endpoint, replace(QUICK, **changes))


def public_kind(error: BaseException) -> type:
    """Return what an error is to others: a module's own kinds count as what they are derived of."""
    return next(one for one in type(error).__mro__ if not one.__name__.startswith("_"))


def failure_of(url: str, path: str = "/x", **changes: Any) -> str:
    """Return the line in which such a client fails at GET `path`."""
    client = client_of(url, **changes)
    with pytest.raises(SourceError) as caught:
        client.get(path)
    client.close()
    message = str(caught.value)
    assert "\n" not in message
    assert "hunter2" not in message
    assert "urllib3" not in message
    return message
