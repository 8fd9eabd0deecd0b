"""Several sources in order of preference: which one serves, and how the others are."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from queue import Empty, Queue
from threading import Thread
from time import monotonic
from typing import TypeVar

from utxoracle.errors import (
    BlockNotFound,
    ChainReorganised,
    DataError,
    DayOutOfReach,
    PriceImpossible,
    SourceBehind,
    SourceError,
    SourceSyncing,
    UtxoracleError,
)
from utxoracle.sources.base import Source

MOST_BEHIND = 2
"""Blocks; a source that lags farther behind another one is passed over."""

FORK_DEPTH = 6
"""Blocks; a tip farther away than this from ours lags, and says nothing of a fork."""

PATIENCE = 2.0
"""Seconds that a source gets to tell its tip once one that is preferred to it has told its own."""

PATIENCE_WITH_PREFERRED = 10.0
"""Seconds that it gets once one that it is preferred to has."""

_log = logging.getLogger(__name__)

_Result = TypeVar("_Result")
_Tip = tuple[int, str]
_Failure = SourceError | DataError | DayOutOfReach
_FAILURES = (SourceError, DataError, DayOutOfReach)


class State(StrEnum):
    """How a source can be.

    BEHIND is more than MOST_BEHIND blocks below another, FORKED on another chain than the source in
    use. INCOMPLETE lacks a block, or its chain keeps changing; what REFUSED gave can't be right.
    """

    UNASKED = "unasked"
    OK = "ok"
    BEHIND = "behind"
    FORKED = "forked"
    SYNCING = "syncing"
    UNREACHABLE = "unreachable"
    INCOMPLETE = "incomplete"
    REFUSED = "refused"


@dataclass(frozen=True)
class SourceState:
    """How a source was found.

    Attributes:
        name: The source's name.
        state: How it is.
        height: Height of its newest block, where that is known.
    """

    name: str
    state: State
    height: int | None = None


class Sources:
    """Sources in order of preference; to be closed.

    The first one is used unless it can't be, or is more than MOST_BEHIND blocks behind another. A
    single source is asked nothing here. What fails is set aside for as long as this object lives.

    Args:
        sources: At least one, the preferred one first, of different names.
    """

    def __init__(self, sources: Sequence[Source]) -> None:
        # All that is found out is kept by their positions.
        self._sources = list(sources)
        self._failures: dict[int, _Failure] = {}
        self._tips: dict[int, _Tip] = {}
        self._slow: set[int] = set()
        self._forked: set[int] = set()
        self._used: int | None = None

    @property
    def states(self) -> list[SourceState]:
        """How each source was found when it was last asked or used."""
        return [self._state(position) for position in range(len(self._sources))]

    @property
    def routes(self) -> dict[str, str]:
        """The routes that were found out, by the sources' names (see `Source.route`)."""
        return {one.name: one.route for one in self._sources if one.route is not None}

    @routes.setter
    def routes(self, routes: dict[str, str]) -> None:
        for source in self._sources:
            source.route = routes.get(source.name)

    def use(self, work: Callable[[Source], _Result]) -> _Result:
        """Return what `work` gives with the best source that doesn't fail at it.

        Raises:
            SourceError: All sources failed.
            DataError: All failed, and what one gave was refused; PriceImpossible at once, since
                blocks that were verified give the same price whoever serves them.
            DayOutOfReach: None reaches back to the day that is asked for.
        """
        failure: _Failure | None = None
        while True:
            position = self._choose()
            if failure:
                _log.warning("%s; going on with %s", failure, self._name(position))
            try:
                result = work(self._sources[position])
            except PriceImpossible:
                raise
            except _FAILURES as error:
                self._failures[position] = failure = error
                if len(self._failures) == len(self._sources):
                    raise self._combined_failure() from None
            else:
                self._slow.discard(position)
                self._used = position
                return result

    def close(self) -> None:
        """Give up connections and files."""
        for source in self._sources:
            source.close()

    def _choose(self) -> int:
        """Return the position of the source to use.

        Raises:
            SourceError, DataError: None can be used.
        """
        self._forked.clear()
        left = [one for one in range(len(self._sources)) if one not in self._failures]
        if len(left) == 1:
            return left[0]
        self._ask_tips(left)
        if not self._tips:
            raise self._combined_failure()
        chosen = next(one for one in sorted(self._tips) if not self._is_behind(one))
        for position in left:
            if position < chosen:
                self._tell_passed_over(position, chosen)
            elif position > chosen and (fork := self._fork_between(chosen, position)):
                self._forked.add(position)
                _log.warning("%s", fork)
        return chosen

    def _ask_tips(self, positions: list[int]) -> None:
        """Ask all for their tips at once, and note who tells it, who fails and who is slow."""
        told: Queue[tuple[int, _Tip | BaseException]] = Queue()

        def ask(position: int) -> None:
            _in_thread(self._sources[position].tip, lambda found: told.put((position, found)))

        for position in positions:
            ask(position)
        self._tips.clear()
        self._slow = set(positions)
        first_answer = None
        while self._slow:
            try:
                position, found = told.get(timeout=self._patience(first_answer))
            except Empty:
                break
            self._slow.remove(position)
            if isinstance(found, _FAILURES):
                self._failures[position] = found
                _log.info("%s", found)
            elif isinstance(found, BaseException):
                raise found
            else:
                self._tips[position] = found
                first_answer = first_answer or monotonic()

    def _patience(self, first_answer: float | None) -> float | None:
        """Return the seconds left to wait for tips; None as long as there is no answer."""
        if first_answer is None:
            return None
        awaits_preferred = min(self._slow) < min(self._tips)
        patience = PATIENCE_WITH_PREFERRED if awaits_preferred else PATIENCE
        return max(0.0, first_answer + patience - monotonic())

    def _is_behind(self, position: int) -> bool:
        highest = max(tip[0] for one, tip in self._tips.items() if one not in self._failures)
        return self._tips[position][0] < highest - MOST_BEHIND

    def _fork_between(self, chosen: int, other: int) -> str | None:
        """Say how a source that is about as far as the chosen one follows another chain.

        None where it doesn't, isn't so far, or can't be compared within PATIENCE.
        """
        if other not in self._tips:
            return None
        tips = sorted((self._tips[position], position) for position in (chosen, other))
        ((height, block_hash), lower), (upper_tip, upper) = tips
        if upper_tip == (height, block_hash) or upper_tip[0] - height > FORK_DEPTH:
            return None
        found = _within(PATIENCE, lambda: self._sources[upper].hash_at(height))
        if found is None or found == block_hash:
            return None
        return (
            f"the chain is forked: block {height} is {block_hash} at {self._name(lower)}, but "
            f"{found} at {self._name(upper)}"
        )

    def _tell_passed_over(self, position: int, chosen: int) -> None:
        found = self._state(position)
        where = "" if found.height is None else f", at block {found.height}"
        why = self._failures.get(position) or f"{found.name} is {found.state}{where}"
        _log.warning("%s; using %s", why, self._name(chosen))

    def _state(self, position: int) -> SourceState:
        height = self._tips[position][0] if position in self._tips else None
        was_asked = position == self._used or position in self._tips
        state = State.OK if was_asked else State.UNASKED
        if position in self._failures:
            state = state_of(self._failures[position])
        elif position in self._slow:
            state = State.UNREACHABLE
        elif position in self._forked:
            state = State.FORKED
        elif position in self._tips and self._is_behind(position):
            state = State.BEHIND
        return SourceState(self._name(position), state, height)

    def _name(self, position: int) -> str:
        return self._sources[position].name

    def _combined_failure(self) -> UtxoracleError:
        """Return the failure to tell when all have failed: bad data is worse than none."""
        failures = [self._failures[position] for position in sorted(self._failures)]
        worst = max(failures, key=lambda error: error.exit_code)
        if len(failures) == 1:
            return worst
        return type(worst)("; ".join(map(str, failures)))


def state_of(error: SourceError | DataError | DayOutOfReach) -> State:
    """Return how a source is that failed so."""
    if isinstance(error, SourceSyncing):
        return State.SYNCING
    if isinstance(error, SourceBehind):
        return State.BEHIND
    if isinstance(error, BlockNotFound | ChainReorganised | DayOutOfReach):
        return State.INCOMPLETE
    return State.UNREACHABLE if isinstance(error, SourceError) else State.REFUSED


def _within(seconds: float, ask: Callable[[], _Result]) -> _Result | None:
    """Return what `ask` gives; None where it fails as sources do, or takes longer."""
    told: Queue[_Result | BaseException] = Queue()
    _in_thread(ask, told.put)
    try:
        found = told.get(timeout=seconds)
    except Empty:
        return None
    if isinstance(found, _FAILURES):
        return None
    if isinstance(found, BaseException):
        raise found
    return found


def _in_thread(ask: Callable[[], _Result], tell: Callable[[_Result | BaseException], None]) -> None:
    """Tell what `ask` gives or raises, from a thread that nothing waits for at the end."""

    def run() -> None:
        try:
            tell(ask())
        except BaseException as error:
            tell(error)

    Thread(target=run, daemon=True).start()
