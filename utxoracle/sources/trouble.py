"""Every way in which a server fails to answer: what is said of it, and whether it can pass."""

import http.client
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass, replace

import requests
import urllib3

from utxoracle.settings import variable_of
from utxoracle.sources.connections import HandshakeTooSlow, KeptConnectionLost
from utxoracle.sources.deadline import AnswerTooSlow

FAILURES = (OSError, urllib3.exceptions.HTTPError, http.client.HTTPException)
"""What requests, urllib3 and http.client raise when there is no whole answer."""


@dataclass(frozen=True)
class Trouble:
    """A way to fail.

    Attributes:
        text: What happened and what to do, in a few words that follow the server's name.
        can_pass: Whether the same request may succeed a moment later.
        at_once: Whether that needs no pause.
    """

    text: str
    can_pass: bool = False
    at_once: bool = False


_HUNG_UP = "hung up without an answer: try again"
_LOST = Trouble("lost the connection{system}: try again", can_pass=True)

_TROUBLES: tuple[tuple[tuple[type[BaseException], ...], Trouble], ...] = (
    (
        (ssl.SSLCertVerificationError,),
        Trouble(
            "can't be asked over TLS ({certificate}): check its certificate, or name the file of "
            "its CA in {ca_variable}"
        ),
    ),
    (
        (requests.exceptions.SSLError, urllib3.exceptions.SSLError),
        Trouble("can't be asked over TLS: check its certificate, or is it plain http?"),
    ),
    (
        (requests.ConnectTimeout,),
        Trouble("did not take the connection within {connect:g} s: is it running, and reachable?"),
    ),
    (
        (HandshakeTooSlow,),
        Trouble("did not take TLS within {connect:g} s: is it hanging, or is this another port?"),
    ),
    (
        (AnswerTooSlow,),
        Trouble("sent its answer too slowly: more than {read:g} s; try again, or raise {variable}"),
    ),
    (
        (requests.exceptions.ProxyError,),
        Trouble("can't be reached through the proxy: check it"),
    ),
    (
        (ConnectionRefusedError,),
        Trouble("refused the connection: is it running?", can_pass=True),
    ),
    ((socket.gaierror,), Trouble("can't be found: check the host name")),
    (
        (requests.exceptions.InvalidURL, urllib3.exceptions.LocationParseError),
        Trouble("has no usable host name: check it"),
    ),
    (
        (urllib3.exceptions.NewConnectionError,),
        Trouble("can't be reached{system}: check the address and the network"),
    ),
    (
        (TimeoutError, requests.Timeout, urllib3.exceptions.ReadTimeoutError),
        Trouble("sent nothing for {read:g} s: is its node hanging?"),
    ),
    ((KeptConnectionLost,), Trouble(_HUNG_UP, can_pass=True, at_once=True)),
    ((http.client.RemoteDisconnected,), Trouble(_HUNG_UP, can_pass=True)),
    ((ConnectionError, http.client.IncompleteRead), _LOST),
    (
        (http.client.HTTPException, urllib3.exceptions.InvalidHeader),
        Trouble("doesn't answer in HTTP: is this the right port?"),
    ),
    ((urllib3.exceptions.ProtocolError,), _LOST),
)
"""Kinds of failures, and what they are; the first that fits counts."""

_OTHER = Trouble("can't be asked{system}: try again")


def trouble_of(error: Exception, *, connect: float, read: float, variable: str) -> Trouble:
    """Return what `error`, one of `FAILURES`, is.

    What the error itself says is left out: it is long, and may repeat what was sent.

    Args:
        error: What was raised.
        connect: Seconds that a connection may take.
        read: Seconds that an answer may take.
        variable: Name of the variable that sets `read`.
    """
    if type(error) is OSError and error.errno is None:
        # requests looks for the file by itself, before it connects.
        return Trouble(
            "can't be asked over TLS: the file of trusted certificates is gone; check "
            f"{variable_of('ca_file')} and REQUESTS_CA_BUNDLE"
        )
    causes = list(_causes(error))
    kinds = (trouble for types, trouble in _TROUBLES if any(isinstance(c, types) for c in causes))
    trouble = next(kinds, _OTHER)
    system = next((c.strerror for c in causes if isinstance(c, OSError) and c.strerror), None)
    invalid = next((c for c in causes if isinstance(c, ssl.SSLCertVerificationError)), None)
    text = trouble.text.format(
        connect=connect,
        read=read,
        variable=variable,
        system=f" ({system})" if system else "",
        certificate=invalid.verify_message.rstrip(".") if invalid else "",
        ca_variable=variable_of("ca_file"),
    )
    return replace(trouble, text=text)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield `error` and all that led to it, as far as requests and urllib3 tell."""
    found: list[object] = []
    waiting: list[object] = [error]
    while waiting:
        one = waiting.pop()
        if isinstance(one, BaseException) and one not in found:
            yield one
            found.append(one)
            waiting += [one.__cause__, one.__context__, getattr(one, "reason", None), *one.args]
