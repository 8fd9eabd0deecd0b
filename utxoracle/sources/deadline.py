"""Answers that must be whole in time: a read time-out alone begins anew with every byte."""

import http.client
import io
import socket
from time import monotonic
from typing import Any

import requests.adapters
import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection

from utxoracle.settings import LONGEST_TIMEOUT


class AnswerTooSlow(TimeoutError):
    """Raised when an answer has begun, but isn't whole in time."""


class DeadlineAdapter(requests.adapters.HTTPAdapter):
    """Gives the read time-out to each answer as a whole, from the status line to the last byte.

    A read of the status line, the headers or the body raises `AnswerTooSlow` when the time is
    over, as the cause of what requests and urllib3 raise.
    """

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Make the pools of direct connections."""
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        """Return the pools of connections through a proxy."""
        manager = super().proxy_manager_for(*args, **kwargs)
        manager.pool_classes_by_scheme = _POOLS
        return manager


class _Pipe(io.RawIOBase):
    """What a peer sends, until the socket's time-out is over for all of it together."""

    def __init__(self, sock: socket.socket, raw: io.RawIOBase) -> None:
        self._sock = sock
        self._raw = raw
        self._deadline = monotonic() + (sock.gettimeout() or LONGEST_TIMEOUT)
        self._has_begun = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = self._deadline - monotonic()
        if left <= 0:
            raise AnswerTooSlow
        self._sock.settimeout(left)
        try:
            size = self._raw.readinto(buffer)
        except TimeoutError:
            if self._has_begun:
                raise AnswerTooSlow from None
            raise
        self._has_begun = True
        return size

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Response(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp = io.BufferedReader(_Pipe(sock, self.fp.detach()))


class _PlainConnection(HTTPConnection):
    response_class = _Response


class _TlsConnection(HTTPSConnection):
    response_class = _Response


class _PlainPool(urllib3.HTTPConnectionPool):
    ConnectionCls = _PlainConnection


class _TlsPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


_POOLS = {"http": _PlainPool, "https": _TlsPool}
