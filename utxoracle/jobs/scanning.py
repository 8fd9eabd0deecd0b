"""Fetching and scanning a run of blocks, in order, with a bounded number of them in memory."""

import os
import signal
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, contextmanager
from multiprocessing import get_context, parent_process, resource_tracker
from threading import Thread, current_thread, main_thread

from utxoracle.bitcoin.network import Network
from utxoracle.bitcoin.scan import BlockScan, scan_block
from utxoracle.errors import BlockCorrupt, SourceError
from utxoracle.sources.base import Source

Progress = Callable[[int, int], None]
"""Called with the number of blocks done and the number of all."""

BLOCKS_WORTH_A_PROCESS = 12
"""Starting a process takes about as long as scanning so many blocks."""

AHEAD = 2
"""Blocks in flight for each worker: one being scanned and one waiting."""


def scan_blocks(
    source: Source,
    heights: Sequence[int],
    *,
    network: Network,
    workers: int = 1,
    progress: Progress | None = None,
) -> list[BlockScan]:
    """Return the verified scans of the blocks at consecutive `heights`, ascending.

    Blocks are fetched one after the other and scanned by up to `workers` processes meanwhile. A
    block that fails verification is asked for once more.

    Raises:
        SourceError: The source failed, or the chain was reorganised during the reading.
        BlockCorrupt: A block failed verification twice.
    """
    processes = min(workers, len(heights) // BLOCKS_WORTH_A_PROCESS)
    try:
        return _scan_blocks(source, heights, network, processes, progress)
    except BrokenProcessPool:
        # None could be started, or one was killed, by the kernel for its memory perhaps.
        return _scan_blocks(source, heights, network, 1, progress)


def _scan_blocks(
    source: Source,
    heights: Sequence[int],
    network: Network,
    processes: int,
    progress: Progress | None,
) -> list[BlockScan]:
    scans: list[BlockScan] = []
    with _executor(processes) as executor:
        for scan in _scan_in_order(source, heights, network, executor, AHEAD * max(processes, 1)):
            if scans and scan.prev_hash != scans[-1].hash:
                raise SourceError(
                    f"{source.name}: block {scan.height} does not follow block "
                    f"{scans[-1].height}; the chain was reorganised meanwhile, run again"
                )
            scans.append(scan)
            if progress:
                progress(len(scans), len(heights))
    return scans


@contextmanager
def _executor(processes: int) -> Iterator[Executor]:
    """Give what scans beside the fetching: a thread, or processes where they are worth it."""
    executor = ThreadPoolExecutor(1) if processes < 2 else _start_processes(processes)
    try:
        yield executor
    finally:
        executor.shutdown(cancel_futures=True)


def _start_processes(processes: int) -> Executor:
    """Start processes that never see a Ctrl-C and end with this one.

    Raises:
        BrokenProcessPool: They can't be started.
    """
    with ExitStack() as on_failure:
        try:
            # Not fork: a copy of a process that has threads may hang.
            executor = ProcessPoolExecutor(
                processes, get_context("spawn"), initializer=_end_with_parent
            )
            on_failure.callback(executor.shutdown, cancel_futures=True)
            with _interrupts_held_back():
                for _ in range(processes):
                    executor.submit(int)
        except OSError as error:
            raise BrokenProcessPool(f"no process can be started: {error}") from None
        on_failure.pop_all()
    return executor


@contextmanager
def _interrupts_held_back() -> Iterator[None]:
    """Let the processes that are started meanwhile never see a Ctrl-C, and this one later.

    It reaches every process of a terminal, but what to do about it is for this one to say. The
    others inherit that the signal is blocked. Here that isn't enough: another thread may take it.

    Raises:
        KeyboardInterrupt: There was one.
    """
    if current_thread() is not main_thread():
        # Ctrl-C is for the main thread; no other may say what a signal does.
        yield
        return
    # Python's own helper process would unblock the signal when it starts.
    resource_tracker.ensure_running()
    seen: list[int] = []
    handler = signal.signal(signal.SIGINT, lambda number, _: seen.append(number))
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        signal.signal(signal.SIGINT, handler)
    if seen:
        raise KeyboardInterrupt


def _end_with_parent() -> None:
    """Let this process end when the one that started it was killed: nothing else would tell it."""
    Thread(target=_wait_for_parent, daemon=True).start()


def _wait_for_parent() -> None:
    parent = parent_process()
    if parent:
        parent.join()
        os._exit(1)


def _scan_in_order(
    source: Source, heights: Sequence[int], network: Network, executor: Executor, ahead: int
) -> Iterator[BlockScan]:
    waiting: deque[tuple[int, str, Future[BlockScan]]] = deque()
    for height in heights:
        block_hash = source.hash_at(height)
        raw = source.raw_block(block_hash)
        future = executor.submit(
            scan_block, raw, expected_hash=block_hash, height=height, network=network
        )
        waiting.append((height, block_hash, future))
        if len(waiting) >= ahead:
            yield _scan_of(source, network, *waiting.popleft())
    while waiting:
        yield _scan_of(source, network, *waiting.popleft())


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
