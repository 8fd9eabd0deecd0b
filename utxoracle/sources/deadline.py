"""Answers that must be whole in time: a read time-out alone begins anew with every byte."""

import io
import socket
from time import monotonic
from typing import Any

from utxoracle.settings import LONGEST_TIMEOUT


class AnswerTooSlow(TimeoutError):
    """Raised when an answer has begun, but isn't whole in time."""


class TimedStream(io.RawIOBase):
    """What a peer sends, until the socket's time-out is over for all of it together.

    A read raises `AnswerTooSlow` when the time is over, or TimeoutError if nothing has come yet.

    Attributes:
        has_ended: Whether the peer has said that nothing more comes.
    """

    def __init__(self, sock: socket.socket, raw: io.RawIOBase) -> None:
        self._sock = sock
        self._raw = raw
        self._deadline = monotonic() + (sock.gettimeout() or LONGEST_TIMEOUT)
        self._has_begun = False
        self.has_ended = False

    def readable(self) -> bool:
        """Tell that it can be read."""
        return True

    def readinto(self, buffer: Any) -> int | None:
        """Read what has come, at least a byte, and return how much; 0 at the end."""
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
        self.has_ended = size == 0
        return size

    def close(self) -> None:
        """Close the stream; the connection may live on."""
        self._raw.close()
        super().close()
