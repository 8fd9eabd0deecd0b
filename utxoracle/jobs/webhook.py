"""The webhook that alerts are sent to: signed JSON, a few tries, no word of the URL's secrets."""

import hmac
import json
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from http.client import responses
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from utxoracle import __version__
from utxoracle.errors import UsageError
from utxoracle.jobs.time_limit import within
from utxoracle.settings import Settings, variable_of
from utxoracle.sources.retry import backoff, longest_backoff, pause
from utxoracle.sources.secret_file import first_line

TRIES = 3

SIGNATURE = "X-Utxoracle-Signature"
"""Header: `sha256=` and the HMAC-SHA256 of the body's bytes in hex."""

DELIVERY = "X-Utxoracle-Delivery"
"""Header: names the message, the same in all tries and in all later runs."""

_PASSING_STATUSES = frozenset({408, 429})


@dataclass(frozen=True)
class Delivery:
    """How an attempt to deliver a message ended.

    Attributes:
        tries: How often it was sent.
        status: HTTP status of the last answer; None without one.
        trouble: What went wrong, in words that follow the receiver's name; None if it arrived.
        can_pass: Whether that may be over a little later.
    """

    tries: int
    status: int | None
    trouble: str | None
    can_pass: bool = True


class Webhook:
    """Delivers messages to one URL.

    Attributes:
        place: Scheme, host and port of the receiver: the rest of its URL may be secret.
    """

    def __init__(
        self, url: str, *, key: bytes | None, timeout: float, ca_file: Path | None = None
    ) -> None:
        """Deliver to `url`, http or https; sign with `key` if there is one.

        Args:
            url: Where to.
            key: What the signature is made with.
            timeout: Seconds for a try, from the look-up of the host to the answer.
            ca_file: Certificates that the receiver is checked by; the usual ones when None.

        Raises:
            ValueError: It is no such URL; the text doesn't repeat it.
        """
        from utxoracle.sources.endpoint import parse_endpoint

        try:
            parts = urlsplit(url)
        except ValueError:
            # What that error itself says may repeat the URL.
            raise ValueError("its host is no host name or number") from None
        if parts.scheme not in ("http", "https"):
            raise ValueError("it must begin with http:// or https://")
        endpoint = parse_endpoint(parts._replace(query="", fragment="").geturl())
        self.place = f"{parts.scheme}://{endpoint.place}"
        self._is_local = endpoint.loopback
        self._url = url
        self._key = key
        self._timeout = timeout
        self._ca_file = ca_file

    @classmethod
    def from_settings(cls, settings: Settings) -> "Webhook | None":
        """Return the webhook that is set; None without one.

        Raises:
            UsageError: It, or the key that is set, can't be used as it is.
        """
        url_variable, file_variable = variable_of("alert_url"), variable_of("alert_url_file")
        url, path = settings.alert_url, settings.alert_url_file
        if url and path:
            raise UsageError(f"{url_variable} and {file_variable} are both set; set one of them")
        if path:
            url = first_line(path, file_variable).decode("utf-8", "replace")
        secret = settings.alert_secret_file
        key = first_line(secret, variable_of("alert_secret_file")) if secret else None
        if not url:
            return None
        try:
            return cls(url, key=key, timeout=settings.alert_timeout, ca_file=settings.ca_file)
        except ValueError as error:
            named = f"{path} ({file_variable})" if path else url_variable
            raise UsageError(f"{named} can't be used as a URL: {error}") from None

    def deliver(self, message: Mapping[str, Any], name: str) -> Delivery:
        """Send a message until it arrives, a few times at most.

        Args:
            message: What becomes JSON.
            name: Names the message, for receivers that get it twice.
        """
        body = json.dumps(message).encode()
        headers = {
            "Content-Type": "application/json",
            "User-Agent": f"utxoracle/{__version__}",
            DELIVERY: name,
        }
        if self._key:
            headers[SIGNATURE] = f"sha256={hmac.digest(self._key, body, 'sha256').hex()}"
        attempt = 1
        while True:
            status, trouble = self._try(body, headers)
            can_pass = status is None or status in _PASSING_STATUSES or status >= 500
            if trouble is None or not can_pass or attempt == TRIES:
                return Delivery(attempt, status, trouble, can_pass)
            # About 1 and 2 seconds.
            pause(backoff(attempt + 1))
            attempt += 1

    def _try(self, body: bytes, headers: Mapping[str, str]) -> tuple[int | None, str | None]:
        """Send once; return the status of the answer, and what went wrong."""
        from utxoracle.sources.trouble import FAILURES, trouble_of

        variable = variable_of("alert_timeout")
        try:
            # The look-up of a host has no time-out of its own.
            status = within(self._timeout, partial(self._post, body, headers))
        except TimeoutError:
            return None, f"gave no answer within {self._timeout:g} s: raise {variable}?"
        except FAILURES as error:
            limit = self._timeout
            return None, trouble_of(error, connect=limit, read=limit, variable=variable).text
        if 200 <= status < 300:
            return status, None
        return status, f"answered {told_status(status)}{_advice(status)}"

    def _post(self, body: bytes, headers: Mapping[str, str]) -> int:
        """Return the status of the answer; its body is not read, which may repeat the URL.

        Raises:
            OSError, urllib3.exceptions.HTTPError, http.client.HTTPException: There is none.
        """
        import requests

        from utxoracle.sources.connections import PatientAdapter

        # A session would follow redirects, or read them whole, and look into ~/.netrc.
        request = requests.Request("POST", self._url, headers=headers, data=body).prepare()
        with requests.Session() as session, closing(PatientAdapter()) as adapter:
            session.trust_env = not self._is_local
            how: Any = session.merge_environment_settings(
                self._url, {}, True, str(self._ca_file) if self._ca_file else True, None
            )
            # Only so that what is left of a try ends some time: `within` ends the try before.
            with adapter.send(request, timeout=2 * self._timeout, **how) as answer:
                return answer.status_code


def longest_delivery(timeout: float) -> float:
    """Return the seconds that it may take to deliver a message, or to give that up."""
    return TRIES * timeout + sum(longest_backoff(attempt) for attempt in range(2, TRIES + 1))


def told_status(status: int) -> str:
    """Return an HTTP status as people read it: `503 Service Unavailable`."""
    return f"{status} {responses.get(status, '')}".rstrip()


def _advice(status: int) -> str:
    if 300 <= status < 400:
        return ": set the URL that it redirects to"
    return "" if status >= 500 else f": check {variable_of('alert_url')}, or see the receiver's log"
