"""Questions that wait, asked side by side."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from utxoracle.jobs.time_limit import within

_Answer = TypeVar("_Answer")


def side_by_side(
    asks: Sequence[Callable[[], _Answer]], patience: float
) -> list[_Answer | BaseException]:
    """Return what each of `asks` gives or raises: TimeoutError after `patience` seconds."""
    with ThreadPoolExecutor(max_workers=len(asks) or 1) as pool:
        answers = [pool.submit(within, patience, ask) for ask in asks]
    return [one.exception() or one.result() for one in answers]
