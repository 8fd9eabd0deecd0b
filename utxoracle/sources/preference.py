"""Several sources in order of preference: which one serves, and how the others are."""

import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, Queue
from threading import Thread
from time import monotonic
from typing import TypeVar

from utxoracle.errors import (
    BlockNotFound,
    ChainReorganised,
    DataError,
    PriceImpossible,
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
"""Seconds that the others get, once one source has told its tip, to tell theirs."""

OK, BEHIND, FORKED = "ok", "behind", "forked"
SYNCING, UNREACHABLE, INCOMPLETE, REFUSED = "syncing", "unreachable", "incomplete", "refused"
"""How a source can be: the latter four can't be used."""

_log = logging.getLogger(__name__)

_Result = TypeVar("_Result")
_Tip = tuple[int, str]
_Told = _Tip | SourceError | DataError


@dataclass(frozen=True)
class SourceState:
    """How a source was found.

    Attributes:
        name: The source's name.
        state: OK, BEHIND, FORKED (its newest block is of another chain than that of the source in
            use), SYNCING, UNREACHABLE, INCOMPLETE (it lacks a block, or its chain keeps changing)
            or REFUSED (what it gave can't be right).
        height: Height of its newest block, where that is known.
    """

    name: str
    state: str
    height: int | None = None


class Sources:
    """Sources in order of preference; to be closed.

    The first one is used unless it can't be, or is more than MOST_BEHIND blocks behind another. A
    single source is asked nothing here. What fails is set aside for as long as this object lives.

    Args:
        sources: At least one, the preferred one first.
    """

    def __init__(self, sources: Sequence[Source]) -> None:
        self._sources = list(sources)
        self._failures: dict[int, SourceError | DataError] = {}
        self._states = [SourceState(one.name, OK) for one in sources]

    @property
    def states(self) -> list[SourceState]:
        """How each source was found when it was last asked."""
        return list(self._states)

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
        """
        while True:
            index = self._choose()
            try:
                return work(self._sources[index])
            except PriceImpossible:
                raise
            except (SourceError, DataError) as error:
                self._fail(index, error)
                if len(self._failures) == len(self._sources):
                    raise self._worst() from None
                _log.warning("%s; it is set aside for this run", error)

    def close(self) -> None:
        """Give up connections and files."""
        for source in self._sources:
            source.close()

    def _choose(self) -> int:
        """Return the position of the source to use.

        Raises:
            SourceError, DataError: None can be used.
        """
        left = [one for one in range(len(self._sources)) if one not in self._failures]
        if len(left) == 1:
            return left[0]
        tips = self._ask_tips(left)
        if not tips:
            raise self._worst()
        highest = max(tips.values())[0]
        chosen = next(one for one, (height, _) in tips.items() if height >= highest - MOST_BEHIND)
        for one, (height, block_hash) in tips.items():
            self._set_state(one, BEHIND if height < highest - MOST_BEHIND else OK, height)
            if one != chosen and self._is_forked(chosen, tips[chosen], one, (height, block_hash)):
                self._set_state(one, FORKED, height)
        self._tell_choice(chosen, [one for one in left if one < chosen])
        return chosen

    def _ask_tips(self, positions: list[int]) -> dict[int, _Tip]:
        """Return the tips of those sources that tell theirs, and note how the others fail."""
        told: dict[int, Queue[_Told | BaseException]] = {}
        for one in positions:
            told[one] = Queue()
            # A thread that nothing waits for when the program ends.
            Thread(target=_put_tip, args=(self._sources[one], told[one]), daemon=True).start()
        tips: dict[int, _Tip] = {}
        deadline = None
        for one, answer in told.items():
            try:
                found = answer.get(timeout=None if deadline is None else _left(deadline))
            except Empty:
                self._set_state(one, UNREACHABLE)
                _log.info("%s is too slow to tell its newest block", self._sources[one].name)
                continue
            if isinstance(found, SourceError | DataError):
                self._fail(one, found)
                _log.info("%s", found)
            elif isinstance(found, BaseException):
                raise found
            else:
                tips[one] = found
                deadline = deadline or monotonic() + PATIENCE
        return tips

    def _is_forked(self, one: int, tip: _Tip, other: int, other_tip: _Tip) -> bool:
        """Tell whether two sources that are about as far follow different chains."""
        ((height, block_hash), lower), (_, upper) = sorted([(tip, one), (other_tip, other)])
        if tip == other_tip or abs(tip[0] - other_tip[0]) > FORK_DEPTH:
            return False
        with suppress(SourceError):
            found = self._sources[upper].hash_at(height)
            if found != block_hash:
                _log.warning(
                    "the chain is forked: block %d is %s at %s, but %s at %s",
                    height,
                    block_hash,
                    self._sources[lower].name,
                    found,
                    self._sources[upper].name,
                )
                return True
        return False

    def _tell_choice(self, chosen: int, passed_over: list[int]) -> None:
        for one in passed_over:
            state = self._states[one]
            where = "" if state.height is None else f", at block {state.height}"
            why = self._failures.get(one) or f"{state.name} is {state.state}{where}"
            _log.warning("%s; using %s", why, self._sources[chosen].name)

    def _fail(self, index: int, error: SourceError | DataError) -> None:
        self._failures[index] = error
        self._set_state(index, state_of(error))

    def _set_state(self, index: int, state: str, height: int | None = None) -> None:
        self._states[index] = SourceState(self._sources[index].name, state, height)

    def _worst(self) -> UtxoracleError:
        """Return the failure to tell when all have failed: bad data is worse than none."""
        failures = [self._failures[one] for one in sorted(self._failures)]
        worst = max(failures, key=lambda error: error.exit_code)
        if len(failures) == 1:
            return worst
        return type(worst)("; ".join(f"{error}" for error in failures))


def state_of(error: SourceError | DataError) -> str:
    """Return how a source is that failed so."""
    if isinstance(error, SourceSyncing):
        return SYNCING
    if isinstance(error, BlockNotFound | ChainReorganised):
        return INCOMPLETE
    return UNREACHABLE if isinstance(error, SourceError) else REFUSED


def _put_tip(source: Source, told: "Queue[_Told | BaseException]") -> None:
    try:
        told.put(source.tip())
    except BaseException as error:
        told.put(error)


def _left(deadline: float) -> float:
    return max(0.0, deadline - monotonic())
