"""Which blocks make a day or a window, asked of a source with few questions.

A block's time is what its miner wrote, and times are not monotone along a chain. But consensus
makes each one greater than the median of the 11 blocks before it. So where 6 of 11 neighbouring
blocks lie at or after some moment, every later block lies after that moment: the median of those
11 does, hence the next block, and the same holds for the 11 that end with that one. Searches for
the last block before a moment therefore end soon, and their result is exact and final.
"""

from calendar import timegm
from collections import deque
from datetime import UTC, date, datetime

from utxoracle.bitcoin.header import parse_header
from utxoracle.errors import (
    BlockCorrupt,
    BlockNotFound,
    DayOutOfReach,
    DayUnavailable,
    SourceError,
    UsageError,
)
from utxoracle.sources.base import Source

DAY = 86_400
"""Seconds."""

BLOCK_INTERVAL = 600
"""Seconds that a block takes on average."""

WINDOW = 144
"""Blocks of a window."""

CONFIRMATIONS = 6
"""Blocks that must follow the first block of the next day before a day counts as finished."""

TILING = "tiling"
V91 = "v9.1"
SELECTIONS = (TILING, V91)
"""How a day's blocks are chosen: days without gap or overlap, or the original's own search."""

FIRST_V91_DAY = date(2023, 12, 15)
"""The first day for which version 9.1 of the original gives a price."""

_MEDIAN_SPAN = 11
_MAX_TIME = 0xFFFFFFFF

_MOST_TIMES = 20_000
"""Blocks whose times one run may ask for; a search takes dozens, hundreds at the worst."""

_LONGEST_DISORDER = 1000
"""Blocks around a moment whose times may jump across it; honest miners' do for a dozen."""


class BlockTimes:
    """The times of a source's blocks, each one asked for once.

    Good for one run: after a reorganisation a remembered time may be that of a stale block.

    Attributes:
        name: The source's.
        tip: Height of its newest block when this was made.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self.name = source.name
        self.tip, _ = source.tip()
        self._times: dict[int, int | None] = {}

    def learn(self, height: int, time: int) -> None:
        """Remember the time of a block that is known from elsewhere."""
        self._times[height] = time

    def find(self, height: int) -> int | None:
        """Return the time stamp of the block at `height`, None when the source has no such block.

        Raises:
            SourceError: The source can't be asked.
        """
        if height < 0:
            return None
        if height not in self._times:
            if len(self._times) >= _MOST_TIMES:
                raise SourceError(
                    f"{self.name} was asked for the times of {_MOST_TIMES:,} blocks and the day "
                    "is still not found: they are out of order; use another source"
                )
            try:
                header = self._source.header(self._source.hash_at(height))
                self._times[height] = parse_header(header).time
            except BlockNotFound:
                self._times[height] = None
        return self._times[height]

    def time_at(self, height: int) -> int:
        """Return the time stamp of the block at `height`, seconds since 1970 UTC.

        Raises:
            BlockNotFound: The source has no such block.
            SourceError: The source can't be asked.
        """
        time = self.find(height)
        if time is None:
            raise BlockNotFound(f"{self.name} has no block {height}")
        return time


def day_heights(times: BlockTimes, day: date) -> range:
    """Return the heights of a finished UTC day's blocks; days tile the chain without gaps.

    A day begins behind the last block that is stamped before it. This is what version 9.1 of the
    original selects wherever times are monotone around both midnights. It is final as soon as it
    is given: of the seven blocks from the first of the next day on none lies before that day, so
    no later block can. A day in which no block falls gives an empty range.

    Raises:
        DayUnavailable: Fewer than 6 blocks follow the first block of the next day, or the source
            has no block before the day.
        SourceError: The source can't be asked.
    """
    start = midnight(day)
    stop = _first_height(times, start + DAY, guess=times.tip)
    if times.tip < stop + CONFIRMATIONS:
        raise DayUnavailable(_unfinished(day, times))
    first = stop
    if times.find(stop - 1) is not None:
        first = _first_height(times, start, guess=stop - WINDOW)
    if times.find(first - 1) is None:
        raise DayOutOfReach(
            f"{times.name} has no block before {day}, so that it can't be known where the day "
            f"begins: its first block is {first} of {moment(times.time_at(first))}"
        )
    return range(first, stop)


def last_day(times: BlockTimes) -> date:
    """Return the newest finished UTC day: the seven newest blocks lie after it, every one.

    Whether the source reaches back to that day's beginning is not looked at.

    Raises:
        DayUnavailable: The source has fewer than seven blocks.
        SourceError: The source can't be asked.
    """
    tip = times.tip
    newest = [times.find(height) for height in range(tip - CONFIRMATIONS, tip + 1)]
    known = [time for time in newest if time is not None]
    if len(known) < len(newest):
        raise DayOutOfReach(
            f"{times.name} has no finished day: of its {len(newest)} newest blocks, up to {tip}, "
            f"only {len(known)} are there"
        )
    return datetime.fromtimestamp(min(known) - DAY, UTC).date()


def last_day_v91(times: BlockTimes) -> date:
    """Return the day that version 9.1 of the original takes when none is asked for.

    Raises:
        DayUnavailable: The source has fewer than seven blocks.
        SourceError: The source can't be asked.
    """
    newest = times.tip - CONFIRMATIONS
    latest = times.find(newest)
    if latest is None:
        raise DayOutOfReach(f"{times.name} has no block {newest}, hence no finished day")
    return datetime.fromtimestamp(latest - DAY, UTC).date()


def day_heights_v91(times: BlockTimes, day: date) -> range:
    """Return the heights that version 9.1 of the original takes for a UTC day, from this tip.

    Its search steps by the time stamps of single blocks. Where those are not monotone, it may
    begin at another block than `day_heights` does, depending on the tip; and it ends at the first
    block of another day of the month, which may be the second block.

    Raises:
        DayUnavailable: The original gives no price for that day, it isn't finished, or the search
            leaves the blocks that the source has.
        SourceError: The source can't be asked.
    """
    if day < FIRST_V91_DAY:
        raise DayUnavailable(
            f"version 9.1 gives prices from {FIRST_V91_DAY} on, not for {day}; leave the "
            "selection out to use the tiling rule"
        )
    start = midnight(day)
    newest = times.tip - CONFIRMATIONS
    try:
        latest = times.time_at(newest)
        if start >= latest - latest % DAY:
            raise DayUnavailable(_unfinished(day, times))
        first = _first_height_v91(times, newest, latest, start)
        stop = first
        while _day_of_month(times.time_at(stop)) == _day_of_month(times.time_at(first)):
            stop += 1
    except BlockNotFound as error:
        raise DayOutOfReach(f"the search of version 9.1 for {day} fails: {error}") from None
    return range(first, stop)


def window_heights(tip_height: int) -> range:
    """Return the heights of the window price at a tip: the 144 blocks before it, without it.

    Raises:
        UsageError: There are fewer.
    """
    if tip_height < WINDOW:
        raise UsageError(
            f"a window needs {WINDOW} blocks before the newest one, which is only block "
            f"{tip_height}"
        )
    return range(tip_height - WINDOW, tip_height)


def _first_height(times: BlockTimes, start: int, guess: int) -> int:
    """Return 1 + the greatest height up to the tip whose block is stamped before `start`.

    Missing blocks count as stamped before while the search jumps. From some block at or after
    `start` on, blocks are read upwards until 6 of the last 11 lie there: none behind those can
    lie before. There none may be missing: a source that fails for a moment must not move a day.

    Raises:
        BlockNotFound: A block is missing where there should be one.
        BlockCorrupt: Times are out of order as consensus doesn't allow.
    """
    lowest = first = _crossing(times, start, guess)
    recent: deque[bool] = deque(maxlen=_MEDIAN_SPAN)
    for height in range(first, times.tip + 1):
        late = times.time_at(height) >= start
        recent.append(late)
        if not late:
            first = height + 1
        if 2 * sum(recent) > _MEDIAN_SPAN:
            break
        if height - lowest > _LONGEST_DISORDER:
            raise BlockCorrupt(
                f"{times.name}: the times of blocks {lowest} to {height} are out of order "
                "as no valid chain's are; use another source"
            )
    return first


def _crossing(times: BlockTimes, start: int, guess: int) -> int:
    """Return some height at or after `start` with a block before it that isn't; tip + 1 for none.

    Steps go as far as the times suggest. Every third one halves what is left instead, so that
    odd times can't make it slow.
    """
    before, after = -1, times.tip + 1
    step = 0
    while after - before > 1:
        guess = min(max(guess, before + 1), after - 1)
        time = times.find(guess)
        if time is None or time < start:
            before = guess
        else:
            after = guess
        step += 1
        if time is None or step % 3 == 0:
            guess = (before + after) // 2
        else:
            guess += (start - time) // BLOCK_INTERVAL
    return after


def _first_height_v91(times: BlockTimes, newest: int, latest: int, start: int) -> int:
    """Return where the original begins a day: it jumps back by time, then walks.

    `round` is to even on a half, as in the original.
    """
    at = newest - round(WINDOW * (latest - start) / DAY)
    jump = round(WINDOW * (times.time_at(at) - start) / DAY)
    last = before_last = 0
    while jump > 6 and jump != before_last:
        before_last, last = last, jump
        at -= jump
        jump = round(WINDOW * (times.time_at(at) - start) / DAY)
    if times.time_at(at) > start:
        while times.time_at(at) > start:
            at -= 1
        return at + 1
    while times.time_at(at) < start:
        at += 1
    return at


def midnight(day: date) -> int:
    """Return the first second of a day, since 1970 UTC.

    Raises:
        DayUnavailable: Its blocks could not be stamped: a header's time has 32 bits.
    """
    start = timegm(day.timetuple())
    if start + 2 * DAY > _MAX_TIME:
        raise DayUnavailable(f"{day} lies behind the last moment that a block can be stamped with")
    return start


def noon(day: date) -> int:
    """Return the middle of a day, since 1970 UTC: the moment of its exchange price.

    Raises:
        DayUnavailable: As `midnight` does.
    """
    return midnight(day) + DAY // 2


def _day_of_month(time: int) -> int:
    return datetime.fromtimestamp(time, UTC).day


def moment(time: float) -> str:
    """Return a moment, seconds since 1970 UTC, as people read it: `2025-01-02 03:04 UTC`."""
    return f"{datetime.fromtimestamp(time, UTC):%Y-%m-%d %H:%M} UTC"


def rfc3339(time: float) -> str:
    """Return a moment, seconds since 1970 UTC, as RFC 3339 writes it: `2025-01-02T03:04:05Z`."""
    return f"{datetime.fromtimestamp(time, UTC):%Y-%m-%dT%H:%M:%SZ}"


def _unfinished(day: date, times: BlockTimes) -> str:
    return (
        f"{day} isn't finished: its price stands when {CONFIRMATIONS} blocks have followed the "
        f"first block of the next day, and {times.name} ends at block {times.tip} "
        f"of {moment(times.time_at(times.tip))}"
    )
