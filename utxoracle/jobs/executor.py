"""What scans beside the fetching: a thread, or processes that end with this one."""

import os
import signal
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, contextmanager
from multiprocessing import get_context, parent_process, resource_tracker
from threading import Thread, current_thread, main_thread


@contextmanager
def scanning_executor(processes: int) -> Iterator[Executor]:
    """Give an executor of so many processes, or of a thread when there are to be none.

    Raises:
        BrokenProcessPool: They can't be started.
    """
    executor = _start_processes(processes) if processes else ThreadPoolExecutor(1)
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
                processes, get_context("spawn"), initializer=end_with_parent
            )
            on_failure.callback(executor.shutdown, cancel_futures=True)
            with interrupts_held_back():
                for _ in range(processes):
                    executor.submit(int)
        except OSError as error:
            raise BrokenProcessPool(f"no process can be started: {error}") from None
        on_failure.pop_all()
    return executor


@contextmanager
def interrupts_held_back() -> Iterator[None]:
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


def end_with_parent() -> None:
    """Let this process end when the one that started it was killed: nothing else would tell it."""
    Thread(target=_wait_for_parent, daemon=True).start()


def _wait_for_parent() -> None:
    parent = parent_process()
    if parent:
        parent.join()
        os._exit(1)
