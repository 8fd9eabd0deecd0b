"""Answers made from the snapshot: each one is made once for a snapshot, and known by its ETag."""

import logging
from collections import OrderedDict
from collections.abc import Callable, Iterator
from errno import EPIPE
from threading import BoundedSemaphore, Lock
from typing import Any, TypeVar

from falcon import HTTPServiceUnavailable, Request, Response

from utxoracle import __version__
from utxoracle.api.headers import etag_of, is_not_modified
from utxoracle.errors import StorageError
from utxoracle.store.connection import Connection
from utxoracle.store.folder import DataFolder
from utxoracle.store.queries import Reader
from utxoracle.store.snapshot import Snapshot

FRESH_SECONDS = 60
"""How long an answer may be taken for the newest: snapshots come every ten minutes."""

MOST_CACHED = 8_000_000
"""Bytes that a worker keeps of one snapshot."""

_ENTRY_BYTES = 1000
"""What keeping an answer takes beside its bytes: many short ones come to something too."""

_MOST_STREAMS = 2

_PATIENCE = 10.0
"""Seconds that a long answer waits for its turn."""

_LONG_RETRY_SECONDS = 10

T = TypeVar("T")

_LOG = logging.getLogger(__name__)

Make = Callable[[Reader], bytes]
MakeLong = Callable[[Reader], Iterator[bytes]]


class Answers:
    """What the threads of a worker read: one snapshot, by one of them at a time.

    DuckDB is never asked by two threads at once, which its Python binding doesn't bear with.
    """

    def __init__(self, folder: DataFolder, *, private: bool) -> None:
        """Answer from `folder`; `private` answers are no business of shared caches."""
        self._folder = folder
        self._snapshot = Snapshot(folder)
        self._lock = Lock()
        self._told: str | None = None
        self._turns = BoundedSemaphore(_MOST_STREAMS)
        self._cache = _Cache(MOST_CACHED)
        self._cache_control = [
            "private" if private else "public", f"max-age={FRESH_SECONDS}", "must-revalidate",
        ]  # fmt: skip

    def give(
        self, request: Request, response: Response, query: tuple[object, ...], make: Make
    ) -> None:
        """Answer a query with the bytes that `make` makes of the snapshot, or 304.

        `query` is everything that the bytes depend on beside the snapshot; what came before is
        answered from memory.

        Raises:
            StorageError: There is no snapshot, or it can't be read.
        """
        with self._lock:
            reader = self._reader()
            if not self._not_modified(request, response, query):
                response.data = self._cache.get(self._snapshot.mark, query, lambda: make(reader))

    def stream(
        self, request: Request, response: Response, query: tuple[object, ...], make: MakeLong
    ) -> None:
        """Answer a query with what is too long to be kept, piece by piece, or 304.

        All pieces are of one snapshot, whatever is published meanwhile.

        Raises:
            StorageError: There is no snapshot, or it can't be read.
            HTTPServiceUnavailable: Too many such answers are under way.
        """
        with self._lock:
            self._reader()
            if self._not_modified(request, response, query) or request.method == "HEAD":
                return
            connection = self._snapshot.hold()
        stream = _Stream(make(Reader(connection)), connection, self._lock)
        if not self._turns.acquire(timeout=_PATIENCE):
            stream.close()
            raise HTTPServiceUnavailable(
                description="other long answers are under way: ask again, or for a shorter range",
                retry_after=_LONG_RETRY_SECONDS,
            )
        stream.turns = self._turns
        response.stream = stream

    def fact(self, query: tuple[object, ...], ask: Callable[[Reader], T]) -> T:
        """Return what the snapshot tells that is small; asked once for a snapshot.

        Raises:
            StorageError: There is no snapshot, or it can't be read.
        """
        with self._lock:
            reader = self._reader()
            found: T = self._cache.get(self._snapshot.mark, query, lambda: ask(reader))
            return found

    @property
    def trouble(self) -> str | None:
        """Why what is published now is not used, but an older copy; None if it is used."""
        return self._snapshot.trouble

    def _reader(self) -> Reader:
        """Return a reader of the snapshot, and tell the log when that begins or ceases to go."""
        trouble: str | None = None
        try:
            reader = self._snapshot.reader()
            trouble = self._snapshot.trouble
            return reader
        except StorageError as error:
            trouble = str(error)
            raise
        finally:
            if trouble != self._told:
                self._told = trouble
                if trouble:
                    _LOG.warning("%s", trouble)
                else:
                    _LOG.info("%s is read again", self._folder.snapshot)

    def _not_modified(
        self, request: Request, response: Response, query: tuple[object, ...]
    ) -> bool:
        response.cache_control = self._cache_control
        return is_not_modified(request, response, _etag(self._snapshot.mark, query))


class _Stream:
    """The pieces of a long answer, and what they are made of.

    Attributes:
        turns: What is waited for before such an answer begins; None before that.
    """

    def __init__(self, pieces: Iterator[bytes], connection: Connection, lock: Lock) -> None:
        self.turns: BoundedSemaphore | None = None
        self._pieces = pieces
        self._connection: Connection | None = connection
        self._lock = lock

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        try:
            with self._lock:
                return next(self._pieces)
        except StorageError as error:
            _LOG.error("a long answer was broken off: %s", error)
            # What the server takes for a client that has gone: it ends the connection without the
            # last chunk, so nobody takes what came for the whole.
            raise BrokenPipeError(EPIPE, "broken off") from None

    def close(self) -> None:
        """Let the next one begin; called by the server, however the answer ended."""
        connection, self._connection = self._connection, None
        if connection:
            with self._lock:
                connection.close()
            if self.turns:
                self.turns.release()


class _Cache:
    """What was found in one snapshot, up to a number of bytes; what is used least goes first."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._mark = ""
        self._bytes = 0
        self._found: OrderedDict[tuple[object, ...], tuple[Any, int]] = OrderedDict()

    def get(self, mark: str, query: tuple[object, ...], find: Callable[[], Any]) -> Any:
        """Return what `find` found the first time that it was asked for this."""
        if mark != self._mark:
            self._mark, self._bytes = mark, 0
            self._found.clear()
        if query not in self._found:
            self._put(query, find())
        found, _ = self._found[query]
        self._found.move_to_end(query)
        while self._bytes > self._most:
            _, (_, size) = self._found.popitem(last=False)
            self._bytes -= size
        return found

    def _put(self, query: tuple[object, ...], found: Any) -> None:
        size = _ENTRY_BYTES + (len(found) if isinstance(found, bytes) else 0)
        self._found[query] = found, size
        self._bytes += size


def _etag(mark: str, query: tuple[object, ...]) -> str:
    # Another version of the program may write the same facts in another way.
    return etag_of(repr((__version__, mark, query)).encode())
