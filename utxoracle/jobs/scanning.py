"""Fetching and scanning a run of blocks, in order, with a bounded number of them in memory."""

from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
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
    """Return the verified scans of the blocks at consecutive `heights`; see `scan_chain`."""
    scans: list[BlockScan] = []
    # A single process would only take the place of the thread: nothing else is to be done here.
    processes = workers if workers > 1 else 0
    for scan in scan_chain(source, heights, network=network, processes=processes):
        scans.append(scan)
        if progress:
            progress(len(scans), len(heights))
    return scans


def scan_chain(
    source: Source, heights: Sequence[int], *, network: Network, processes: int
) -> Generator[BlockScan, None, None]:
    """Yield the verified scans of the blocks at consecutive `heights`, each linked to the last.

    Blocks are fetched ahead, one after the other, and scanned by up to `processes` processes, or
    a thread where these would not be worth it. A block that fails verification is asked for once
    more. Close the iterator when it isn't read to its end.

    Raises:
        ChainReorganised: A block does not follow the one before.
        SourceError: The source failed.
        BlockCorrupt: A block failed verification twice.
    """
    previous: BlockScan | None = None
    with closing(
        scan_each(source, heights, source.hash_at, network=network, processes=processes)
    ) as scans:
        for scan in scans:
            if previous and scan.prev_hash != previous.hash:
                raise ChainReorganised(
                    f"{source.name}: block {scan.height} does not follow block "
                    f"{previous.height}; the chain was reorganised meanwhile, run again"
                )
            yield scan
            previous = scan


def scan_each(
    source: Source,
    heights: Sequence[int],
    hash_at: Callable[[int], str],
    *,
    network: Network,
    processes: int,
) -> Generator[BlockScan, None, None]:
    """Yield the verified scans of blocks that need not follow each other, else as `scan_chain`.

    Args:
        source: Where the bytes come from.
        heights: The blocks' heights.
        hash_at: Gives the hash of the block that is meant by a height.
        network: The network that they belong to.
        processes: How many may scan.
    """
    processes = min(processes, len(heights) // BLOCKS_WORTH_A_PROCESS)
    done = 0
    try:
        for scan in _scan_in_order(source, heights, hash_at, network, processes):
            yield scan
            done += 1
    except BrokenProcessPool:
        # None could be started, or one was killed, by the kernel for its memory perhaps.
        yield from _scan_in_order(source, heights[done:], hash_at, network, 0)


def _scan_in_order(
    source: Source,
    heights: Sequence[int],
    hash_at: Callable[[int], str],
    network: Network,
    processes: int,
) -> Iterator[BlockScan]:
    with scanning_executor(processes) as executor:

        def submit(height: int, block_hash: str, raw: bytes) -> Future[BlockScan]:
            return executor.submit(
                scan_block, raw, expected_hash=block_hash, height=height, network=network
            )

        ahead = _Ahead(source, heights, hash_at, submit, RAW_BLOCKS_AHEAD * max(processes, 1))
        try:
            for height in heights:
                yield _scan_of(source, network, height, *ahead.next())
        finally:
            ahead.stop()


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


def _scan_of(
    source: Source, network: Network, height: int, block_hash: str, future: Future[BlockScan]
) -> BlockScan:
    """Return the scan, after asking for the block a second time if the first bytes were bad."""
    try:
        return future.result()
    except BlockCorrupt:
        raw = source.raw_block(block_hash)
    try:
        return scan_block(raw, expected_hash=block_hash, height=height, network=network)
    except BlockCorrupt as error:
        raise BlockCorrupt(
            f"{error}; {source.name} gave it twice: let it fetch the block anew, or use another "
            "source"
        ) from None
