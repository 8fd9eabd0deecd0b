"""A source from its URL."""

import re
from typing import TYPE_CHECKING
from urllib.parse import unquote

from utxoracle.errors import UsageError
from utxoracle.settings import SOURCE_EXAMPLES, Settings, variable_of
from utxoracle.sources.base import Source

if TYPE_CHECKING:
    from utxoracle.sources.http import Endpoint

_NEXT_URL = re.compile(r"\s+(?=[a-z][a-z+]*:)")
_SCHEME = re.compile(r"[a-z][a-z+]*:(//)?")


def open_source(url: str, settings: Settings) -> Source:
    """Return the source that `url` names; one behind HTTP is first asked when it's used.

    | url | source |
    |--|--|
    | `files:DIR` | block files of a folder |
    | `sim:seed=1,days=3,...` | a simulated chain |
    | `mempool+http://host:port[/path]`, `mempool+https://...` | a mempool back or front end |
    | `bitcoind+http://host:port[?cookie=FILE]`, `bitcoind+https://...` | Bitcoin Core |

    Raises:
        UsageError: `url` names no source, or one that can't be.
        SourceError: The folder or a file of it can't be read.
    """
    url = url.strip()
    if len(_NEXT_URL.split(url)) > 1:
        raise UsageError(f"only one source can be given, not {redact(url)}; choose one of them")
    kind, _, rest = url.partition(":")
    # Each kind is imported when it's asked for: block files need neither requests nor the
    # simulation, and both take longer to import than a folder to read.
    if kind == "files":
        from utxoracle.sources.files import FilesSource

        return FilesSource(rest)
    if kind == "sim":
        from utxoracle.sources.sim import SimSource

        return SimSource(rest)
    if kind in ("mempool+http", "mempool+https"):
        from utxoracle.sources.mempool import MempoolSource

        return MempoolSource(_endpoint(url), settings)
    if kind in ("bitcoind+http", "bitcoind+https"):
        return _open_bitcoind(url, settings)
    raise UsageError(
        f"{redact(url)!r} is not a source; name one such as {SOURCE_EXAMPLES}, or files:DIR, or "
        "sim:seed=1,days=3"
    )


def redact(url: str) -> str:
    """Return `url`, or several with spaces between, without user names and passwords."""
    return " ".join(_split_user(one)[1] for one in _NEXT_URL.split(url))


def has_password(url: str) -> bool:
    """Tell whether `url`, or one of several with spaces between, holds a password."""
    return any(":" in _split_user(one)[0] for one in _NEXT_URL.split(url))


def _split_user(url: str) -> tuple[str, str]:
    """Return the `user:password` of a URL and the URL without it.

    All up to the last @ counts: a password with an unescaped / or @ is still a password.
    """
    if url.startswith(("files:", "sim:")):
        return "", url
    place, query, cookie = url.partition("?cookie=")
    head, _, place = place.rpartition("@")
    scheme = _SCHEME.match(head)
    start = scheme.end() if scheme else 0
    return head[start:], head[:start] + place + query + cookie


def _endpoint(url: str) -> "Endpoint":
    from utxoracle.sources.http import parse_endpoint

    try:
        return parse_endpoint(url.partition("+")[2])
    except ValueError as error:
        raise UsageError(
            f"{redact(url)} can't be a source: {error}; write it as in {SOURCE_EXAMPLES}"
        ) from None


def _open_bitcoind(url: str, settings: Settings) -> Source:
    from utxoracle.sources.bitcoind import BitcoindSource
    from utxoracle.sources.files import expand_user

    url, _, query = url.partition("?")
    key, _, cookie = query.partition("=")
    if query and (key != "cookie" or not cookie):
        raise UsageError(
            f"{redact(url)} takes only ?cookie=FILE behind it, not ?{key}; the cookie is the file "
            ".cookie in bitcoind's data folder"
        )
    if settings.rpc_user and not settings.rpc_password_file:
        raise UsageError(
            f"{variable_of('rpc_user')} is set but {variable_of('rpc_password_file')} is not; "
            "set both or neither"
        )
    endpoint = _endpoint(url)
    if endpoint.port is None:
        raise UsageError(f"{redact(url)} names no port; bitcoind's is 8332 on the main network")
    cookie_file = expand_user(unquote(cookie)) if cookie else None
    return BitcoindSource(endpoint, settings, cookie_file)
