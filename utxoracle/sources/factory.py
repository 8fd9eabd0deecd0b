"""Sources of blocks and of exchange prices, from their URLs."""

import re
from contextlib import ExitStack
from typing import TYPE_CHECKING
from urllib.parse import unquote

from utxoracle.errors import UsageError
from utxoracle.settings import SOURCE_EXAMPLES, Settings, split_urls, variable_of
from utxoracle.sources.address import split_user
from utxoracle.sources.base import Source
from utxoracle.sources.exchange import ExchangeSource
from utxoracle.sources.preference import Sources

if TYPE_CHECKING:
    from utxoracle.sources.endpoint import Endpoint

_ELECTRS_URL = re.compile(r"https?://.*", re.DOTALL)
_EXCHANGE_URL = re.compile(r"(?:mempool\+)?(https?://.*)", re.DOTALL)


def open_sources(settings: Settings) -> Sources:
    """Return the sources that `settings` name, at least one, in order of preference.

    Raises:
        UsageError: One is named twice, or names no source, or one that can't be.
        SourceError: The folder of one, or a file of it, can't be read.
    """
    urls = split_urls(settings.source or "")
    with ExitStack() as opened:
        sources: list[Source] = []
        for url in urls:
            source = open_source(url, settings)
            opened.callback(source.close)
            if any(source.name == one.name for one in sources):
                # What is stored and told of a source is its kind and place: two would be mixed up.
                raise UsageError(f"{source.name} is named twice as a source: leave one of them out")
            sources.append(source)
        opened.pop_all()
    return Sources(sources)


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

        electrs = _electrs_endpoint(settings.electrs_url) if settings.electrs_url else None
        return MempoolSource(_endpoint(url), settings, electrs)
    if kind in ("bitcoind+http", "bitcoind+https"):
        return _open_bitcoind(url, settings)
    raise UsageError(
        f"{redact(url)!r} is not a source; name one such as {SOURCE_EXAMPLES}, or files:DIR, or "
        "sim:seed=1,days=3"
    )


def open_exchange(settings: Settings) -> ExchangeSource | None:
    """Return where exchange prices come from; it is first asked when it's used.

    | `exchange_url` of the settings | exchange prices |
    |--|--|
    | `http://host:port[/path]`, `https://...`, either with `mempool+` before it | of that server |
    | `none` | nobody is asked: None |
    | not set | of the first source of blocks that is a mempool or simulated; else None |

    Raises:
        UsageError: The setting, or that source, can't be.
    """
    if settings.exchange_url == "none":
        return None
    if settings.exchange_url:
        from utxoracle.sources.mempool_exchange import MempoolExchange

        return MempoolExchange(_exchange_endpoint(settings.exchange_url), settings)
    for url in split_urls(settings.source or ""):
        kind, _, rest = url.partition(":")
        if kind == "sim":
            from utxoracle.sources.sim_exchange import SimExchange

            return SimExchange(rest, settings)
        if kind in ("mempool+http", "mempool+https"):
            from utxoracle.sources.mempool_exchange import MempoolExchange

            return MempoolExchange(_endpoint(url), settings)
    return None


def redact(url: str) -> str:
    """Return `url`, or several with spaces between, without user names and passwords."""
    return " ".join(_split_user(one)[1] for one in split_urls(url))


def has_password(url: str) -> bool:
    """Tell whether `url`, or one of several with spaces between, holds a password."""
    return any(":" in _split_user(one)[0] for one in split_urls(url))


def _split_user(url: str) -> tuple[str, str]:
    """Return the `user:password` of a source's URL and the URL without it."""
    if url.startswith(("files:", "sim:")):
        return "", url
    address, query, cookie = url.partition("?cookie=")
    user, address = split_user(address)
    return user, address + query + cookie


def _endpoint(url: str) -> "Endpoint":
    from utxoracle.sources.endpoint import parse_endpoint

    try:
        return parse_endpoint(url.partition("+")[2])
    except ValueError as error:
        several = "; several are written with spaces between, each with its kind"
        raise UsageError(
            f"{redact(url)} can't be a source: {error}; write it as in {SOURCE_EXAMPLES}"
            f"{several if re.search(r'[ ,]', url) else ''}"
        ) from None


def _exchange_endpoint(url: str) -> "Endpoint":
    from utxoracle.sources.endpoint import parse_endpoint

    try:
        match = _EXCHANGE_URL.fullmatch(url)
        if match is None:
            raise ValueError("it isn't a mempool back end's address")
        if len(url.split()) > 1:
            raise ValueError("only one can be asked")
        return parse_endpoint(match[1])
    except ValueError as error:
        raise UsageError(
            f"{variable_of('exchange_url')} can't be {redact(url)!r}: {error}; write it as in "
            "http://127.0.0.1:8999, or none to ask nobody"
        ) from None


def _electrs_endpoint(url: str) -> "Endpoint":
    from utxoracle.sources.endpoint import parse_endpoint

    try:
        if not _ELECTRS_URL.fullmatch(url):
            raise ValueError("it isn't an electrs' address")
        return parse_endpoint(url)
    except ValueError as error:
        raise UsageError(
            f"{variable_of('electrs_url')} can't be {redact(url)!r}: {error}; write it as in "
            "http://127.0.0.1:3000"
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
    user, file = variable_of("rpc_user"), variable_of("rpc_password_file")
    if bool(settings.rpc_user) != bool(settings.rpc_password_file):
        given, missing = (user, file) if settings.rpc_user else (file, user)
        raise UsageError(f"{given} is set but {missing} is not; set both or neither")
    endpoint = _endpoint(url)
    if endpoint.port is None:
        raise UsageError(f"{redact(url)} names no port; bitcoind's is 8332 on the main network")
    cookie_file = expand_user(unquote(cookie)) if cookie else None
    return BitcoindSource(endpoint, settings, cookie_file)
