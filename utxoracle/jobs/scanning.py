"""Fetching and scanning a run of blocks, in order, with a bounded number of them in memory."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, closing
from queue import Full, Queue
from threading import Event, Semaphore, Thread

from utxoracle.bitcoin.network import Network
from utxoracle.bitcoin.scan import BlockScan, scan_block
from utxoracle.errors import BlockCorrupt, ChainReorganised
from utxoracle.jobs.executor import scanning_executor
from utxoracle.sources.base import Source

Progress = Callable[[int, int], None]
"""Called with the number of blocks done and the number of all."""

BLOCKS_WORTH_A_PROCESS = 12
"""Starting a process takes about as long as scanning so many blocks."""

RAW_BLOCKS_AHEAD = 2
"""Blocks in flight for each process: one being scanned and one waiting."""

SCANS_AHEAD = 64
"""Scans that may wait for whoever takes them, some 90 kB each."""

_MOMENT = 0.2
"""Seconds after which the thread that fetches looks whether anyone still wants its blocks."""


def scan_blocks(
    source: Source,
    heights: Sequence[int],
    *,
    network: Network,
    workers: int = 1,
    progress: Progress | None = None,
) -> list[BlockScan]:
    """Return the verified scans of the blocks at consecutive `heights`; raises as `Scans`."""
    # A single process would only take the place of the thread: nothing else is to be done here.
    processes = workers if workers > 1 else 0
    found: list[BlockScan] = []
    with closing(Scans(source, heights, network=network, processes=processes)) as scans:
        for scan in scans:
            found.append(scan)
            if progress:
                progress(len(found), len(heights))
    return found


class Scans(Iterator[BlockScan]):
    """The verified scans of blocks, in order; to be closed.

    Fetching begins at once and goes ahead, one block after the other, while up to `processes`
    processes scan, or a thread where these would not be worth it. A block that fails verification
    is asked for once more.

    Args:
        source: Where the bytes come from.
        heights: The blocks' heights.
        network: The network that they belong to.
        processes: How many may scan.
        hash_at: Gives the hash of the block that is meant by a height. Without it the blocks are
            those of the source's best chain, and each must follow the one before.

    Raises:
        ChainReorganised: A block does not follow the one before.
        SourceError: The source failed.
        BlockCorrupt: A block failed verification twice.
    """

    def __init__(
        self,
        source: Source,
        heights: Sequence[int],
        *,
        network: Network,
        processes: int,
        hash_at: Callable[[int], str] | None = None,
    ) -> None:
        self._source = source
        self._network = network
        self._must_follow = hash_at is None
        self._hash_at = hash_at or source.hash_at
        self._left = heights
        self._previous: BlockScan | None = None
        self._start(min(processes, len(heights) // BLOCKS_WORTH_A_PROCESS))

    def __next__(self) -> BlockScan:
        """Return the next scan."""
        if not self._left:
            raise StopIteration
        try:
            scan = self._next()
        except BrokenProcessPool:
            # One was killed, by the kernel for its memory perhaps.
            self.close()
            self._start(0)
            scan = self._next()
        previous = self._previous
        if self._must_follow and previous and scan.prev_hash != previous.hash:
            raise ChainReorganised(
                f"{self._source.name}: block {scan.height} does not follow block "
                f"{previous.height}; the chain was reorganised meanwhile, run again"
            )
        self._previous = scan
        self._left = self._left[1:]
        return scan

    def close(self) -> None:
        """Let nothing more be fetched and scanned."""
        self._stack.close()

    def _start(self, processes: int) -> None:
        self._stack = ExitStack()
        try:
            executor = self._stack.enter_context(scanning_executor(processes))
        except BrokenProcessPool:
            executor = self._stack.enter_context(scanning_executor(0))
        network = self._network

        def submit(height: int, block_hash: str, raw: bytes) -> Future[BlockScan]:
            return executor.submit(
                scan_block, raw, expected_hash=block_hash, height=height, network=network
            )

        raw_blocks = RAW_BLOCKS_AHEAD * max(processes, 1)
        self._ahead = _Ahead(self._source, self._left, self._hash_at, submit, raw_blocks)
        self._stack.callback(self._ahead.stop)

    def _next(self) -> BlockScan:
        """Return the next scan, after asking again for a block whose first bytes were bad."""
        height = self._left[0]
        block_hash, future = self._ahead.next()
        try:
            return future.result()
        except BlockCorrupt:
            raw = self._source.raw_block(block_hash)
        try:
            return scan_block(raw, expected_hash=block_hash, height=height, network=self._network)
        except BlockCorrupt as error:
            raise BlockCorrupt(
                f"{error}; {self._source.name} gave it twice: let it fetch the block anew, or use "
                "another source"
            ) from None


class _Ahead:
    """Fetches blocks in a thread of its own and has them scanned, a bounded number ahead.

    So a block is on its way while others are scanned, and while the scans are made use of.
    """

    def __init__(
        self,
        source: Source,
        heights: Sequence[int],
        hash_at: Callable[[int], str],
        submit: Callable[[int, str, bytes], Future[BlockScan]],
        raw_blocks: int,
    ) -> None:
        self._source = source
        self._heights = heights
        self._hash_at = hash_at
        self._submit = submit
        self._room = Semaphore(raw_blocks)
        self._fetched: Queue[tuple[str, Future[BlockScan]] | BaseException] = Queue(SCANS_AHEAD)
        self._stopped = Event()
        # Nothing waits for its end: it may be waiting for a server that hangs.
        Thread(target=self._fetch, daemon=True).start()

    def next(self) -> tuple[str, Future[BlockScan]]:
        """Return hash and future scan of the next block.

        Raises:
            Exception: What stopped the fetching.
        """
        fetched = self._fetched.get()
        if isinstance(fetched, BaseException):
            raise fetched
        return fetched

    def stop(self) -> None:
        """Let nothing more be fetched."""
        self._stopped.set()

    def _fetch(self) -> None:
        try:
            for height in self._heights:
                block_hash = self._hash_at(height)
                raw = self._source.raw_block(block_hash)
                while not self._room.acquire(timeout=_MOMENT):
                    if self._stopped.is_set():
                        return
                if self._stopped.is_set():
                    return
                future = self._submit(height, block_hash, raw)
                del raw
                future.add_done_callback(lambda _: self._room.release())
                self._put((block_hash, future))
        except BaseException as error:
            # Told to whoever takes the scans, behind those that are sound.
            self._put(error)

    def _put(self, fetched: tuple[str, Future[BlockScan]] | BaseException) -> None:
        while not self._stopped.is_set():
            try:
                return self._fetched.put(fetched, timeout=_MOMENT)
            except Full:
                continue
