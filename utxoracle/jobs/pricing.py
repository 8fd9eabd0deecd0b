"""Prices of windows and days, found block by block as a chain grows."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from utxoracle.errors import PriceImpossible
from utxoracle.jobs.finished_days import FinishedDay, finished_days, first_day_start
from utxoracle.price.estimate import Estimate, estimate, estimate_day
from utxoracle.price.scatter import thinned_points
from utxoracle.price.validity import Limits, invalid_reason
from utxoracle.price.window import LinkedBlock, gather
from utxoracle.settings import Settings
from utxoracle.sources.days import CONFIRMATIONS, DAY, WINDOW
from utxoracle.sources.exchange import ExchangePrice
from utxoracle.store.rows import DayRow, Points, PriceFacts, WindowRow
from utxoracle.store.scans import KEPT_SCANS

ALGORITHM = "v9.1"

LONGEST_DAY = KEPT_SCANS - CONFIRMATIONS - 1
"""Blocks: when a day is known to be finished, seven more have come, and older scans are gone."""

NOT_ASKED = ExchangePrice(price=None, time=None, reason="not asked yet")


@dataclass(frozen=True, eq=False)
class Priced:
    """What one block more makes known.

    Attributes:
        window: The price of the 144 blocks before it, unless fewer are stored.
        estimate: The same with what it rests on, when there is a price.
        days: The days that it proves finished, mostly none.
    """

    window: WindowRow | None
    estimate: Estimate | None
    days: list[DayRow]

    @property
    def points(self) -> Points | None:
        """The price points of the window that a plot shows; None when there is no window."""
        found = self.estimate
        if self.window is None:
            return None
        if found is None:
            return Points(self.window.height, np.empty(0, np.int64), np.empty(0))
        return Points(self.window.height, *thinned_points(found))


class Pricer:
    """Takes the blocks of a chain one after the other and prices what they make known.

    A chain gives the same rows however it is cut into runs: each depends on the blocks and on the
    row before alone.

    Args:
        settings: Holds the limits within which a price is valid.
        first_height: Height of the oldest block that is stored.
        recent: The newest blocks, up to the top: those that windows and an unfinished day need.
        untold: Times of the blocks that no finished day holds yet, up to the top, seconds since
            1970 UTC.
        last_window: The row of the top, if it has one.
        last_day: The row of the newest day, if there is one.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        first_height: int | None,
        recent: Sequence[LinkedBlock],
        untold: Sequence[int],
        last_window: WindowRow | None,
        last_day: DayRow | None,
    ) -> None:
        self._window_limits = _limits(settings, settings.max_window_jump)
        self._day_limits = _limits(settings, settings.max_day_jump)
        self._first_height = first_height
        self._recent = list(recent)
        self._untold = list(untold)
        self._last_window = last_window
        self._last_day = last_day
        self._day_start = last_day.last_height + 1 if last_day else None

    @property
    def recent(self) -> Sequence[LinkedBlock]:
        """The newest blocks, ascending: as many as windows and days can need."""
        return self._recent

    def add(self, block: LinkedBlock) -> Priced:
        """Price what `block`, which follows the top, makes known."""
        window, found = self._price_window(block)
        if self._first_height is None:
            self._first_height = block.height
        self._recent.append(block)
        self._untold.append(block.time)
        days = [self._price_day(day) for day in self._finished_days(block.height)]
        # What windows and the unfinished day can't need any more; the cache holds no more either.
        del self._recent[:-KEPT_SCANS]
        return Priced(window, found, days)

    def _price_window(self, block: LinkedBlock) -> tuple[WindowRow | None, Estimate | None]:
        if self._first_height is None or block.height - self._first_height < WINDOW:
            return None, None
        before = self._last_window
        facts, found = self._facts(
            self._recent[-WINDOW:],
            is_day=False,
            limits=self._window_limits,
            before=before.facts if before and before.height == block.height - 1 else None,
        )
        self._last_window = WindowRow(
            height=block.height,
            hash=block.hash,
            time=block.time,
            facts=facts,
            exchange=NOT_ASKED,
            diverges=None,
        )
        return self._last_window, found

    def _finished_days(self, top: int) -> list[FinishedDay]:
        """Return the days that the block at `top` finishes, and forget their blocks' times."""
        times = self._untold
        if min(times[-1 - CONFIRMATIONS :]) // DAY <= min(times) // DAY:
            # Most blocks finish none, and this is found out quickly.
            return []
        if self._day_start is None:
            self._day_start = first_day_start(top + 1 - len(times), times)
            if self._day_start is None:
                return []
            del times[: self._day_start - top - 1]
        days = list(finished_days(self._day_start, times))
        if days:
            self._day_start = days[-1].stop
            del times[: days[-1].stop - top - 1]
        return days

    def _price_day(self, day: FinishedDay) -> DayRow:
        before = self._last_day
        facts = (
            self._too_long(day)
            if day.blocks > LONGEST_DAY
            else self._facts(
                [one for one in self._recent if day.first <= one.height < day.stop],
                is_day=True,
                limits=self._day_limits,
                before=before.facts if before and (day.date - before.date).days == 1 else None,
            )[0]
        )
        self._last_day = DayRow(
            date=day.date,
            first_height=day.first,
            last_height=day.stop - 1,
            blocks=day.blocks,
            facts=facts,
            exchange=NOT_ASKED,
            diverges=None,
        )
        return self._last_day

    def _facts(
        self,
        blocks: Sequence[LinkedBlock],
        *,
        is_day: bool,
        limits: Limits,
        before: PriceFacts | None,
    ) -> tuple[PriceFacts, Estimate | None]:
        """Return what is stored of the price of `blocks`, and the price itself if there is one."""
        window = gather(blocks)
        try:
            found = estimate_day(window) if is_day else estimate(window)
        except PriceImpossible as error:
            return _no_price(error.reason, window.tx_count, window.outputs), None
        reason = invalid_reason(
            price=found.price,
            outputs=found.outputs,
            points=found.points,
            confidence=found.confidence,
            before=before.price if before and before.is_valid else None,
            limits=limits,
        )
        facts = PriceFacts(
            price=found.price,
            rough_price=found.rough_price,
            deviation=found.deviation,
            tx_count=found.tx_count,
            outputs=found.outputs,
            points=found.points,
            confidence=found.confidence,
            is_valid=reason is None,
            invalid_reason=reason,
            algorithm=ALGORITHM,
        )
        return facts, found

    @staticmethod
    def _too_long(day: FinishedDay) -> PriceFacts:
        reason = f"{day.blocks:,} blocks; a day of more than {LONGEST_DAY} is not priced"
        return _no_price(reason, tx_count=0, outputs=0)


def _limits(settings: Settings, max_jump: float) -> Limits:
    return Limits(
        min_price=settings.min_price,
        max_price=settings.max_price,
        min_outputs=settings.min_outputs,
        min_points=settings.min_points,
        min_confidence=settings.min_confidence,
        max_jump=max_jump,
    )


def _no_price(reason: str, tx_count: int, outputs: int) -> PriceFacts:
    return PriceFacts(
        price=None,
        rough_price=None,
        deviation=None,
        tx_count=tx_count,
        outputs=outputs,
        points=0,
        confidence=0.0,
        is_valid=False,
        invalid_reason=reason,
        algorithm=ALGORITHM,
    )
