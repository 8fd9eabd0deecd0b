"""One server behind HTTP, and every way it can fail in one line each."""

import json
import logging
import ssl
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import monotonic
from typing import Any

import requests
from requests.auth import AuthBase, HTTPBasicAuth

from utxoracle import __version__
from utxoracle.errors import SourceError, UsageError
from utxoracle.settings import Settings, variable_of
from utxoracle.sources.address import split_user
from utxoracle.sources.answers import WRONG_ADDRESS, printable
from utxoracle.sources.body import BodyTooLarge, BodyUnreadable, read_body
from utxoracle.sources.connections import PatientAdapter
from utxoracle.sources.endpoint import Credentials, Endpoint
from utxoracle.sources.retry import (
    PASSING_STATUSES,
    SLOW_ANSWER,
    backoff,
    pause,
    pause_after_answer,
)
from utxoracle.sources.trouble import FAILURES, Trouble, trouble_of

BLOCK_LIMIT = 4_200_000
"""Bytes of an answer that is a raw block."""

RPC_LIMIT = 8_500_000
"""Bytes of an answer that is a block in hex inside JSON."""

SMALL_LIMIT = 256_000
"""Bytes of any other answer."""

_ADVICE = {401: "check user and password", 403: "check user and password"}
_LATER = "try again later"

_log = logging.getLogger(__name__)


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
class Answer:
    """What a server sent.

    Attributes:
        source: Name of the source.
        request: Method and URL that were asked, without a query, for people.
        status: HTTP status.
        content_type: Media type in lower case, without parameters.
        body: The whole body.
        location: Where a redirect leads, as it was sent.
        retry_after: When the server wants to be asked again, as it was sent.
        attempts: How often it was asked, all but the last time in vain.
    """

    source: str
    request: str
    status: int
    content_type: str
    body: bytes
    location: str = field(default="", repr=False)
    retry_after: str = field(default="", repr=False)
    attempts: int = 1

    @property
    def text(self) -> str:
        """The body as text, without white space around it."""
        return self.body.decode("utf-8", "replace").strip()

    @property
    def reason(self) -> str:
        """Status, the beginning of the body and the attempts in one line, for an error message."""
        try:
            text = str(json.loads(self.body)["error"])
        except (ValueError, LookupError, TypeError, RecursionError):
            # Older back ends send a few words as text/html, too.
            text = "" if self.text.startswith("<") else self.text
        return f"{self.status} {printable(text):.100}".strip() + _tried(self.attempts)

    @property
    def is_trouble(self) -> bool:
        """Whether the server is too busy or fails, or a proxy before it can't reach it."""
        return self.status == 429 or self.status >= 500

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
            location = printable(self.location)
            is_path = location.startswith("/") and not location.startswith("//")
            if not is_path:
                _, location = split_user(location)
            shown = f" ({location:.200})" if location else ""
            return f"give the address that it redirects to as the source{shown}"
        return _ADVICE.get(self.status, _LATER if self.is_trouble else WRONG_ADDRESS)


class _Session(requests.Session):
    """Takes a redirect for an answer like any other.

    Without this, its body is read without a limit and a Location that is no URL raises ValueError,
    even where redirects aren't followed.
    """

    def get_redirect_target(self, resp: requests.Response) -> None:
        return None


@dataclass(frozen=True)
class _Request:
    """A request, and what to make of its answer; see `HttpClient.get`."""

    method: str
    url: str
    payload: object
    limit: int
    auth: Credentials | None
    retry_500: bool

    def __str__(self) -> str:
        # Without the query, so that the same failure reads the same at another time.
        return f"{self.method} {self.url.partition('?')[0]}"


class HttpClient:
    """Asks one server, over connections that are kept open.

    What made a request fail may pass, such as a connection that was refused or an answer of 503;
    then it is made again after a pause, `settings.retries` times at most. Time-outs are none of
    that, so that a server that hangs holds nobody up for longer than one of them.

    Redirects are not followed, TLS certificates are verified, and answers are cut off when they
    grow past what was expected, or aren't whole within the read time-out. A server on this machine
    is never asked through a proxy, and nobody is sent a password that ~/.netrc holds.

    Attributes:
        name: Kind and place of the server, without credentials.

    Raises:
        UsageError: The file with certificates can't be used.
    """

    def __init__(self, kind: str, endpoint: Endpoint, settings: ClientSettings) -> None:
        self.name = f"{kind} {endpoint.place}"
        self._base = endpoint.base
        self._settings = settings
        self._verify = _checked_ca_file(settings.ca_file)
        self._session = _Session()
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, PatientAdapter())
        self._session.trust_env = not endpoint.loopback
        self._session.headers["User-Agent"] = f"utxoracle/{__version__}"
        # Blocks don't get smaller, and so the size limit counts what is really sent.
        self._session.headers["Accept-Encoding"] = "identity"

    def get(
        self,
        path: str,
        *,
        limit: int = SMALL_LIMIT,
        auth: Credentials | None = None,
        retry_500: bool = False,
    ) -> Answer:
        """Return the answer to GET `path`, whatever its status.

        Args:
            path: What follows the server's address.
            limit: Bytes that the answer can have.
            auth: What to log in with.
            retry_500: Whether 500 can only be trouble that passes. Otherwise it's an answer where
                it comes with JSON: of a mempool's about a block that it doesn't know, or of
                bitcoind's JSON-RPC.

        Raises:
            SourceError: There is no whole answer, or one of more than `limit` bytes.
        """
        return self._send(_Request("GET", self._base + path, None, limit, auth, retry_500))

    def post(
        self, path: str, payload: object, *, limit: int, auth: Credentials | None = None
    ) -> Answer:
        """Return the answer to POST `path` with `payload` as JSON; otherwise as `get`.

        It may be sent several times, and so must change nothing.
        """
        return self._send(_Request("POST", self._base + path, payload, limit, auth, False))

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def _send(self, request: _Request) -> Answer:
        """Make attempts until one succeeds, or the last has failed."""
        attempt = 1
        while True:
            can_try_again = attempt <= self._settings.retries
            began = monotonic()
            try:
                answer = self._attempt(request)
            except FAILURES as error:
                trouble = self._trouble_of(error)
                if not (trouble.can_pass and can_try_again):
                    raise self._failure(trouble, request, attempt) from None
                why = trouble.text
                seconds = 0.0 if trouble.at_once else backoff(attempt)
            else:
                wait = pause_after_answer(attempt, answer.retry_after)
                can_pass = _can_pass(answer, request) and monotonic() - began < SLOW_ANSWER
                if wait is None or not (can_pass and can_try_again):
                    return replace(answer, attempts=attempt)
                why = f"answered with {answer.reason}"
                seconds = wait
            _log.info("%s %s (%s, again in %.1f s)", self.name, why, request, seconds)
            pause(seconds)
            attempt += 1

    def _attempt(self, request: _Request) -> Answer:
        """Return the answer to one attempt.

        Raises:
            SourceError: The answer can't be used, and wouldn't be another time.
            OSError, urllib3.exceptions.HTTPError, http.client.HTTPException: There is none.
        """
        with self._session.request(
            request.method,
            request.url,
            json=request.payload,
            auth=_Login(request.auth),
            timeout=(self._settings.connect, self._settings.read),
            allow_redirects=False,
            stream=True,
            # Said here, since said of the session it would count less than the environment.
            verify=self._verify,
        ) as response:
            content_type = response.headers.get("Content-Type", "")
            return Answer(
                source=self.name,
                request=str(request),
                status=response.status_code,
                content_type=content_type.partition(";")[0].strip().lower(),
                body=self._read(response, request),
                location=response.headers.get("Location", ""),
                retry_after=response.headers.get("Retry-After", ""),
            )

    def _read(self, response: requests.Response, request: _Request) -> bytes:
        try:
            return read_body(response, request.limit)
        except BodyTooLarge:
            raise SourceError(
                f"{self.name} sends more than the {request.limit:,} bytes that {request} can "
                f"give; {WRONG_ADDRESS}"
            ) from None
        except BodyUnreadable:
            raise SourceError(
                f"{self.name} answered {request} with something packed that can't be unpacked; "
                f"{WRONG_ADDRESS}"
            ) from None

    def _trouble_of(self, error: Exception) -> Trouble:
        limits = self._settings
        return trouble_of(error, connect=limits.connect, read=limits.read, variable=limits.variable)

    def _failure(self, trouble: Trouble, request: _Request, attempts: int) -> SourceError:
        return SourceError(f"{self.name} {trouble.text} ({request}{_tried(attempts)})")


class _Login(AuthBase):
    """Logs in with the bytes that were typed, where requests would take Latin-1.

    With nothing to log in with, it still keeps requests from looking into ~/.netrc.
    """

    def __init__(self, credentials: Credentials | None) -> None:
        self._credentials = credentials

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._credentials is None:
            return request
        user, password = (one.encode("utf-8", "surrogateescape") for one in self._credentials)
        HTTPBasicAuth(user, password)(request)
        return request


def _tried(attempts: int) -> str:
    """Say how often a request was made, where that was more than once."""
    return f", tried {attempts} times" if attempts > 1 else ""


def _can_pass(answer: Answer, request: _Request) -> bool:
    """Tell whether `answer` is of trouble that may be over a moment later."""
    if answer.status == 500:
        return request.retry_500 or answer.content_type != "application/json"
    return answer.status in PASSING_STATUSES


def _checked_ca_file(path: Path | None) -> str | None:
    """Return the file by which servers are checked, if one is set.

    Raises:
        UsageError: It can't be read, or holds no certificates.
    """
    if path is None:
        return None
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
    except OSError as error:
        is_ssl = isinstance(error, ssl.SSLError)
        why = "it holds no certificates in PEM" if is_ssl else error.strerror
        raise UsageError(f"{path} ({variable_of('ca_file')}) can't be used: {why}") from None
    return str(path)
