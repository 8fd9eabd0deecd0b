"""Work that may hang, as on a disk that is gone or a name server that is silent."""

from collections.abc import Callable
from concurrent.futures import Future
from threading import Thread
from threading import enumerate as all_threads
from typing import TypeVar

_Result = TypeVar("_Result")

_NAME = "within a time limit"


def within(seconds: float, work: Callable[[], _Result]) -> _Result:
    """Return what `work` returns, or raise what it raises.

    Raises:
        TimeoutError: It takes longer, and is left to itself.
    """
    return begun(work).result(seconds)


def begun(work: Callable[[], _Result]) -> "Future[_Result]":
    """Begin some work, in a thread that ends with the process, and return what will come of it.

    It may be left to itself: nothing can end a call that waits for a disk.
    """
    future: Future[_Result] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:
            future.set_exception(error)

    Thread(target=run, name=_NAME, daemon=True).start()
    return future


def is_left_behind() -> bool:
    """Tell whether some work still goes on."""
    return any(thread.name == _NAME for thread in all_threads())
