"""Connections that know what requests and urllib3 leave out, and what they can't tell apart."""

import http.client
import io
import socket
from typing import Any

import requests.adapters
import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection

from utxoracle.sources.deadline import TimedStream

_LONGEST_LINE = 1 << 16
"""Bytes; what http.client allows a header."""


class KeptConnectionLost(http.client.RemoteDisconnected):
    """Raised when a connection that has served before is closed instead of an answer.

    Servers close a connection that was idle for some seconds, and the request may just cross that.
    """


class HandshakeTooSlow(TimeoutError):
    """Raised when TLS doesn't stand within the connect time-out.

    urllib3 tells it like an answer that doesn't come, which another time-out is for.
    """


class PatientAdapter(requests.adapters.HTTPAdapter):
    """Gives the read time-out to each answer as a whole, from the status line to the last byte.

    What goes wrong is the cause of what requests and urllib3 raise: `AnswerTooSlow` when the time
    is over, `HandshakeTooSlow`, `KeptConnectionLost`, http.client's IncompleteRead when headers end
    before their time, its LineTooLong for a line of a chunked body that doesn't end.
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


class _Reader(io.BufferedReader):
    def readline(self, size: int | None = -1) -> bytes:
        if size is not None and size >= 0:
            return super().readline(size)
        # Not every urllib3 limits the lines between the chunks of a body.
        line = super().readline(_LONGEST_LINE + 1)
        if len(line) > _LONGEST_LINE:
            raise http.client.LineTooLong("chunk")
        return line


class _Response(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self._stream = TimedStream(sock, self.fp.detach())
        self.fp = _Reader(self._stream)

    def begin(self) -> None:
        super().begin()
        # To http.client, headers that break off are whole, and an empty body may follow.
        if self._stream.has_ended:
            raise http.client.IncompleteRead(b"")


class _Connection(HTTPConnection):
    response_class = _Response
    _has_served = False

    def connect(self) -> None:
        self._has_served = False
        super().connect()

    def getresponse(self) -> Any:
        try:
            response = super().getresponse()
        except ConnectionError:
            if self._has_served:
                raise KeptConnectionLost("") from None
            raise
        self._has_served = True
        return response


class _TlsConnection(_Connection, HTTPSConnection):
    def connect(self) -> None:
        try:
            super().connect()
        except TimeoutError:
            raise HandshakeTooSlow("") from None


class _Pool(urllib3.HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


_POOLS = {"http": _Pool, "https": _TlsPool}
