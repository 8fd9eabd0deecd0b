"""Questions that wait, asked side by side."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from functools import partial
from typing import TypeVar

from utxoracle.jobs.time_limit import begun

_Answer = TypeVar("_Answer")


def side_by_side(
    asks: Sequence[Callable[[], _Answer]], patience: float
) -> list[_Answer | BaseException]:
    """Return what each of `asks` gives or raises: TimeoutError after `patience` seconds."""
    deadline = time.monotonic() + patience
    answers: list[Future[_Answer]] = [begun(ask) for ask in asks]
    return [*map(partial(_outcome, deadline), answers)]


def _outcome(deadline: float, answer: Future[_Answer]) -> _Answer | BaseException:
    try:
        return answer.exception(max(0.0, deadline - time.monotonic())) or answer.result()
    except TimeoutError as error:
        return error
