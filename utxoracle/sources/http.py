"""One server behind HTTP, and every way it can fail in one line each."""

import http.client
import ipaddress
import json
import socket
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import requests
import urllib3
from requests.auth import HTTPBasicAuth

from utxoracle import __version__
from utxoracle.errors import SourceError
from utxoracle.settings import Settings, variable_of
from utxoracle.sources.address import split_user
from utxoracle.sources.answers import WRONG_ADDRESS
from utxoracle.sources.deadline import AnswerTooSlow, DeadlineAdapter

BLOCK_LIMIT = 4_200_000
"""Bytes of an answer that is a raw block."""

RPC_LIMIT = 8_500_000
"""Bytes of an answer that is a block in hex inside JSON."""

SMALL_LIMIT = 256_000
"""Bytes of any other answer."""

_CHUNK = 1 << 16

_TROUBLES: tuple[tuple[tuple[type[Exception], ...], str], ...] = (
    (
        (requests.exceptions.SSLError,),
        "can't be asked over TLS: check its certificate, or is it plain http?",
    ),
    (
        (requests.ConnectTimeout,),
        "did not take the connection within {connect:g} s: is it running, and reachable?",
    ),
    (
        (AnswerTooSlow,),
        "sent its answer too slowly: more than {read:g} s; try again, or raise {variable}",
    ),
    (
        (requests.ReadTimeout, urllib3.exceptions.ReadTimeoutError),
        "sent nothing for {read:g} s: is its node hanging?",
    ),
    ((requests.exceptions.ProxyError,), "can't be reached through the proxy: check it"),
    ((ConnectionRefusedError,), "refused the connection: is it running?"),
    ((socket.gaierror,), "can't be found: check the host name"),
    (
        (requests.exceptions.InvalidURL, urllib3.exceptions.LocationParseError),
        "has no usable host name: check it",
    ),
    ((http.client.RemoteDisconnected,), "hung up without an answer: try again"),
    (
        (http.client.BadStatusLine, http.client.LineTooLong, http.client.UnknownProtocol),
        "doesn't answer in HTTP: is this the right port?",
    ),
)
"""Kinds of failures, the first that fits counts, and what to say of each."""

_ADVICE = {401: "check user and password", 403: "check user and password"}
_LATER = "try again later"

Credentials = tuple[str, str]
"""User name and password."""


@dataclass(frozen=True)
class ClientSettings:
    """How a server is asked.

    Attributes:
        connect: Seconds until a connection stands.
        read: Seconds until an answer is whole.
        variable: Name of the variable that sets `read`.
        retries: How often a request is made again when what made it fail can pass.
        ca_file: Certificates that TLS servers are checked by; the usual ones when None.
    """

    connect: float
    read: float
    variable: str
    retries: int
    ca_file: Path | None

    @classmethod
    def for_blocks(cls, settings: Settings) -> "ClientSettings":
        """Return those of a source of blocks."""
        return cls(
            connect=settings.connect_timeout,
            read=settings.read_timeout,
            variable=variable_of("read_timeout"),
            retries=settings.retries,
            ca_file=settings.ca_file,
        )

    @classmethod
    def for_exchange(cls, settings: Settings) -> "ClientSettings":
        """Return those of exchange prices, which nobody waits for and which are asked again."""
        return cls(
            connect=settings.exchange_timeout,
            read=settings.exchange_timeout,
            variable=variable_of("exchange_timeout"),
            retries=0,
            ca_file=settings.ca_file,
        )


@dataclass(frozen=True)
class Endpoint:
    """Where a server is.

    Attributes:
        base: URL without credentials and without a slash at the end.
        place: Host and port, for people.
        port: The port that the URL names, if any.
        loopback: Whether it is this machine.
        credentials: User and password that the URL held.
    """

    base: str
    place: str
    port: int | None
    loopback: bool
    credentials: Credentials | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Answer:
    """What a server sent.

    Attributes:
        source: Name of the source.
        request: Method and URL that were asked, without a query, for people.
        status: HTTP status.
        content_type: Media type in lower case, without parameters.
        body: The whole body.
        location: Where a redirect leads, as it was sent.
    """

    source: str
    request: str
    status: int
    content_type: str
    body: bytes
    location: str = field(default="", repr=False)

    @property
    def text(self) -> str:
        """The body as text, without white space around it."""
        return self.body.decode("utf-8", "replace").strip()

    @property
    def reason(self) -> str:
        """Status and the beginning of the body in one line, for an error message."""
        try:
            text = str(json.loads(self.body)["error"])
        except (ValueError, LookupError, TypeError, RecursionError):
            text = "" if self.content_type == "text/html" else self.text
        return f"{self.status} {_printable(text):.100}".strip()

    def json(self) -> Any:
        """Return the body read as JSON.

        Raises:
            SourceError: It isn't JSON.
        """
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            raise SourceError(
                f"{self.source} answered {self.request} with something that isn't JSON "
                f"({self.content_type or 'of no type'}); {WRONG_ADDRESS}"
            ) from None

    def refused(self) -> SourceError:
        """Return the error for an answer whose status isn't the expected one."""
        return SourceError(
            f"{self.source} answered {self.request} with {self.reason}: {self._advice}"
        )

    @property
    def _advice(self) -> str:
        """What to do about a status that isn't the expected one."""
        if 300 <= self.status < 400:
            location = _printable(self.location)
            is_path = location.startswith("/") and not location.startswith("//")
            if not is_path:
                _, location = split_user(location)
            shown = f" ({location:.200})" if location else ""
            return f"give the address that it redirects to as the source{shown}"
        is_passing = self.status == 429 or self.status >= 500
        return _ADVICE.get(self.status, _LATER if is_passing else WRONG_ADDRESS)


class _Session(requests.Session):
    """Takes a redirect for an answer like any other.

    Without this, its body is read without a limit and a Location that is no URL raises ValueError,
    even where redirects aren't followed.
    """

    def get_redirect_target(self, resp: requests.Response) -> None:
        return None


class HttpClient:
    """Asks one server, over connections that are kept open.

    Redirects are not followed, TLS certificates are verified, and answers are cut off when they
    grow past what was expected, or aren't whole within the read time-out. A server on this machine
    is never asked through a proxy.

    Attributes:
        name: Kind and place of the server, without credentials.
    """

    def __init__(self, kind: str, endpoint: Endpoint, settings: ClientSettings) -> None:
        self.name = f"{kind} {endpoint.place}"
        self._base = endpoint.base
        self._settings = settings
        self._session = _Session()
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, DeadlineAdapter())
        self._session.trust_env = not endpoint.loopback
        self._session.headers["User-Agent"] = f"utxoracle/{__version__}"
        # Blocks don't get smaller, and so the size limit counts what is really sent.
        self._session.headers["Accept-Encoding"] = "identity"

    def get(
        self, path: str, *, limit: int = SMALL_LIMIT, auth: Credentials | None = None
    ) -> Answer:
        """Return the answer to GET `path`, whatever its status.

        Raises:
            SourceError: There is no whole answer, or one of more than `limit` bytes.
        """
        return self._send("GET", path, None, limit, auth)

    def post(
        self, path: str, payload: object, *, limit: int, auth: Credentials | None = None
    ) -> Answer:
        """Return the answer to POST `path` with `payload` as JSON; otherwise as `get`."""
        return self._send("POST", path, payload, limit, auth)

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def _send(
        self, method: str, path: str, payload: object, limit: int, auth: Credentials | None
    ) -> Answer:
        """Make one attempt."""
        url = self._base + path
        # Without the query, so that the same failure reads the same at another time.
        request = f"{method} {url.partition('?')[0]}"
        try:
            with self._session.request(
                method,
                url,
                json=payload,
                auth=_login(auth),
                timeout=(self._settings.connect, self._settings.read),
                allow_redirects=False,
                stream=True,
            ) as response:
                body = self._read(response, limit, request)
                content_type = response.headers.get("Content-Type", "")
                return Answer(
                    source=self.name,
                    request=request,
                    status=response.status_code,
                    content_type=content_type.partition(";")[0].strip().lower(),
                    body=body,
                    location=response.headers.get("Location", ""),
                )
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            raise SourceError(f"{self.name} {self._explain(error)} ({request})") from None

    def _read(self, response: requests.Response, limit: int, request: str) -> bytes:
        body = bytearray()
        for chunk in response.iter_content(_CHUNK):
            body += chunk
            if len(body) > limit:
                raise SourceError(
                    f"{self.name} sends more than the {limit:,} bytes that {request} can give; "
                    f"{WRONG_ADDRESS}"
                )
        return bytes(body)

    def _explain(self, error: Exception) -> str:
        """Say in a few words what went wrong and what to do.

        What the error itself says is left out: it is long, and may repeat what was sent.
        """
        causes = _causes(error)
        for kinds, text in _TROUBLES:
            if any(isinstance(one, kinds) for one in causes):
                return text.format_map(vars(self._settings))
        system = next((one.strerror for one in causes if isinstance(one, OSError)), None)
        return f"lost the connection{f' ({system})' if system else ''}: try again"


def parse_endpoint(url: str) -> Endpoint:
    """Return the endpoint that `url` names.

    Raises:
        ValueError: There is no host, the port is no port, or it has a query or fragment.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        # What that error itself says may repeat the password.
        raise ValueError("its host is no host name or number") from None
    if not parts.hostname:
        raise ValueError("it names no host")
    if parts.query or parts.fragment:
        raise ValueError("nothing may follow its path")
    try:
        port = parts.port
    except ValueError:
        raise ValueError("its port isn't a number from 0 to 65535") from None
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    place = host if port is None else f"{host}:{port}"
    return Endpoint(
        base=f"{parts.scheme}://{place}{parts.path.rstrip('/')}",
        place=place,
        port=port,
        loopback=_is_loopback(parts.hostname),
        credentials=(
            (unquote(parts.username), unquote(parts.password or "")) if parts.username else None
        ),
    )


def _login(credentials: Credentials | None) -> HTTPBasicAuth | None:
    """Return what to log in with, as the bytes that were typed: requests would take Latin-1."""
    if credentials is None:
        return None
    user, password = (one.encode("utf-8", "surrogateescape") for one in credentials)
    return HTTPBasicAuth(user, password)


def _printable(text: str) -> str:
    """Return `text` as one line without characters that can't be shown."""
    return "".join(one for one in " ".join(text.split()) if one.isprintable())


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _causes(error: BaseException) -> list[BaseException]:
    """Return `error` and all that led to it, as far as requests and urllib3 tell."""
    found: list[BaseException] = []
    waiting: list[object] = [error]
    while waiting:
        one = waiting.pop()
        if isinstance(one, BaseException) and one not in found:
            found.append(one)
            waiting += [one.__cause__, one.__context__, getattr(one, "reason", None), *one.args]
    return found
