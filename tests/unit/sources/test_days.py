from calendar import timegm
from datetime import date, timedelta
from itertools import accumulate
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.sources.stamped import StampedChain, chain_of, obey_median_rule, obeys_median_rule
from utxoracle.errors import BlockCorrupt, BlockNotFound, DayUnavailable, UsageError
from utxoracle.sources import days as rules
from utxoracle.sources.days import BlockTimes, window_heights

DAY = 86_400
TODAY = date(2024, 5, 10)
START = timegm(TODAY.timetuple())
RAREST = 40_000
"""Seconds; with no longer gap between blocks every day has one."""


def day_heights(chain: StampedChain, day: date) -> range:
    return rules.day_heights(BlockTimes(chain), day)


def day_heights_v91(chain: StampedChain, day: date) -> range:
    return rules.day_heights_v91(BlockTimes(chain), day)


def last_day(chain: StampedChain) -> date:
    return rules.last_day(BlockTimes(chain))


def midnight(day: date) -> int:
    return timegm(day.timetuple())


def first_by_the_rule(times: list[int], bottom: int, start: int) -> int:
    """The tiling rule read off all blocks: 1 + the greatest height stamped before `start`."""
    before = [bottom + index for index, time in enumerate(times) if time < start]
    return 1 + max(before) if before else bottom


def day_by_the_rule(times: list[int], bottom: int, day: date) -> range | None:
    first = first_by_the_rule(times, bottom, midnight(day))
    stop = first_by_the_rule(times, bottom, midnight(day) + DAY)
    tip = bottom + len(times) - 1
    return range(first, stop) if tip >= stop + 6 and first > bottom else None


def found_day(times: list[int], bottom: int, day: date) -> range | None:
    try:
        return day_heights(chain_of(times, bottom), day)
    except DayUnavailable:
        return None


@st.composite
def ragged_chains(draw) -> list[int]:
    """Some days of blocks whose times jump back and forth by hours but obey consensus."""
    gaps = draw(st.lists(st.integers(0, 12_000), min_size=1, max_size=90))
    drift = draw(st.lists(st.integers(-14_400, 7_200), min_size=len(gaps), max_size=len(gaps)))
    honest = accumulate(gaps, initial=START + draw(st.integers(-DAY, DAY)))
    return obey_median_rule([time + off for time, off in zip(honest, drift, strict=False)])


@given(ragged_chains(), st.integers(0, 50), st.integers(-2, 12))
def test_a_day_is_what_the_rule_says_of_all_blocks_also_where_times_jump(times, bottom, offset):
    day = TODAY + timedelta(days=offset)
    assert found_day(times, bottom, day) == day_by_the_rule(times, bottom, day)


@given(ragged_chains(), st.data())
def test_a_day_that_was_given_once_stays_the_same_as_the_chain_grows(times, data):
    shorter = times[: data.draw(st.integers(1, len(times)))]
    for offset in range(-1, 12):
        day = TODAY + timedelta(days=offset)
        early = found_day(shorter, 0, day)
        assert early is None or early == found_day(times, 0, day)


@given(ragged_chains())
def test_the_last_day_is_the_newest_one_that_the_rule_calls_finished(times):
    tip = len(times) - 1
    finished = [
        day
        for day in (TODAY + timedelta(days=offset) for offset in range(-4, 20))
        if tip >= first_by_the_rule(times, 0, midnight(day) + DAY) + 6
    ]
    if tip < 6:
        with pytest.raises(DayUnavailable, match="no finished day: of its 7 newest"):
            last_day(chain_of(times))
    else:
        assert last_day(chain_of(times)) == max(finished)


@given(st.integers(0, 2**32), st.integers(0, 300))
def test_both_rules_agree_where_times_are_monotone(seed, cut):
    random = Random(seed)
    gaps = (1 + min(RAREST, int(random.expovariate(1 / 600))) for _ in range(1200))
    times = [time + (time % DAY == 0) for time in accumulate(gaps, initial=START - 3 * DAY)]
    chain = chain_of(times[: len(times) - cut])
    assert day_heights_v91(chain, TODAY) == day_heights(chain, TODAY)


def test_shared_times_and_times_learnt_elsewhere_are_not_asked_for_again():
    chain = chain_of(list(range(START - DAY, START + 3 * DAY, 600)))
    times = BlockTimes(chain)
    for height in range(500):
        times.learn(height, START - DAY + 600 * height)
    assert rules.day_heights(times, TODAY) == range(144, 288)
    assert chain.headers < 10
    asked = chain.headers
    rules.day_heights(times, TODAY)
    assert chain.headers == asked


@pytest.mark.parametrize("seconds", [520, 570, 600, 640])
def test_few_headers_are_asked_for_on_a_long_chain(seconds):
    def time_of(height: int) -> int:
        return START + (height - 895_000) * seconds + Random(height).randint(-1800, 1800)

    for days in range(-40, 25):
        chain = StampedChain(time_of, 0, 900_000)
        heights = day_heights(chain, TODAY + timedelta(days=days))
        assert abs(len(heights) - DAY / seconds) < 10
        assert chain.headers <= 50
        assert chain.requests <= 2 * chain.headers + 2


def test_the_search_stays_short_when_all_times_lie_together():
    def time_of(height: int) -> int:
        return START - 10 if height < 123_456 else START + 2 * DAY + height % 5

    chain = StampedChain(time_of, 0, 900_000)
    assert len(day_heights(chain, TODAY)) == 0
    assert chain.headers < 150


def test_days_tile_the_chain():
    random = Random(7)
    times = obey_median_rule(
        [START + 600 * index + random.randint(-5400, 5400) for index in range(1000)]
    )
    chain = chain_of(times)
    days = [day_heights(chain, TODAY + timedelta(days=offset)) for offset in range(1, 6)]
    assert [day.start for day in days[1:]] == [day.stop for day in days[:-1]]


def test_a_day_without_blocks_is_an_empty_range():
    times = [START - 600 * 20 + 600 * index for index in range(20)]
    times += [START + 2 * DAY + 600 * index for index in range(20)]
    assert day_heights(chain_of(times), TODAY) == range(20, 20)


@pytest.mark.parametrize("following", range(1, 9))
def test_a_day_counts_when_six_blocks_follow_the_first_of_the_next_day(following):
    times = [START - 600 + 600 * index for index in range(1 + 144 + following)]
    chain = chain_of(times)
    if following >= 7:
        assert day_heights(chain, TODAY) == range(1, 145)
        assert last_day(chain) == TODAY
        return
    end = f"2024-05-10 isn't.* ends at block {144 + following} "
    with pytest.raises(DayUnavailable, match=end):
        day_heights(chain, TODAY)
    assert last_day(chain) == TODAY - timedelta(days=1)


def test_an_unfinished_or_future_day_says_where_the_source_ends():
    chain = chain_of([START + 600 * index for index in range(50)])
    for rule in (day_heights, day_heights_v91):
        for day in (TODAY, date(2024, 6, 1)):
            with pytest.raises(DayUnavailable, match=rf"{day} .* 49 of 2024-05-10 08:10 UTC$"):
                rule(chain, day)


@pytest.mark.parametrize("day", [date.max, date(2106, 2, 7)])
def test_a_day_that_no_block_can_reach_is_refused(day):
    chain = chain_of([START + 600 * index for index in range(50)])
    for rule in (day_heights, day_heights_v91):
        with pytest.raises(DayUnavailable, match="behind the last moment"):
            rule(chain, day)


@pytest.mark.parametrize("day", [TODAY, TODAY - timedelta(days=1), date(1970, 1, 1), date.min])
def test_a_day_needs_a_block_before_it(day):
    chain = chain_of([START + 300 + 600 * index for index in range(300)], bottom=7000)
    with pytest.raises(DayUnavailable, match="its first block is 7000 of 2024-05-10 00:05 UTC"):
        day_heights(chain, day)


def test_block_zero_far_below_the_other_blocks_is_no_block_before_the_day():
    times = {0: 1_296_688_602}

    def time_of(height: int) -> int:
        return times.get(height, START + 600 * (height - 800))

    class Gapped(StampedChain):
        def hash_at(self, height: int) -> str:
            if 0 < height < 800:
                raise BlockNotFound(f"no block {height}")
            return super().hash_at(height)

    chain = Gapped(time_of, 0, 1200)
    assert day_heights(chain, TODAY + timedelta(days=1)) == range(944, 1088)
    with pytest.raises(DayUnavailable, match="its first block is 800 of 2024-05-10"):
        day_heights(chain, TODAY)


def test_a_window_is_the_144_blocks_before_the_tip():
    assert window_heights(900_000) == range(899_856, 900_000)
    assert window_heights(144) == range(144)
    with pytest.raises(UsageError, match="144 blocks before the newest one"):
        window_heights(143)


def test_block_times_name_the_block_that_is_missing():
    times = BlockTimes(chain_of([START], bottom=5))
    assert times.time_at(5) == START
    for height in (-1, 4, 6):
        assert times.find(height) is None
        with pytest.raises(BlockNotFound, match=f"stamped has no block {height}"):
            times.time_at(height)


def before_and_after(day: list[int], after: list[int]) -> list[int]:
    """Two hundred even blocks up to midnight, the blocks of the day (seconds), and those after."""
    times = [START - 600 * index for index in range(200, 0, -1)]
    times += [START + second for second in day]
    times += [START + DAY + second for second in after]
    assert obeys_median_rule(times)
    return times


SLOW_BLOCKS = [1200 * index + 60 for index in range(20)]
"""After a day with fewer blocks than its seconds suggest, the search lands before the day."""

FAST_BLOCKS = [300 * index + 60 for index in range(40)]
"""After a day with more, it lands inside it."""


def test_one_early_stamp_leaves_the_v91_day_with_one_block():
    day = [60, -60] + [120 + 600 * index for index in range(144)]
    chain = chain_of(before_and_after(day, SLOW_BLOCKS))
    assert day_heights_v91(chain, TODAY) == range(200, 201)
    assert day_heights(chain, TODAY) == range(202, 346)


def test_the_v91_day_depends_on_the_tip_where_stamps_jump():
    day = [60, -60] + [120 + 600 * index for index in range(144)]
    chain = chain_of(before_and_after(day, FAST_BLOCKS))
    assert day_heights_v91(chain, TODAY) == day_heights(chain, TODAY) == range(202, 346)


def test_one_late_stamp_cuts_the_v91_day_three_blocks_early():
    day = [60 + 600 * index for index in range(144)]
    day[141] = DAY + 30
    for after in (SLOW_BLOCKS, FAST_BLOCKS):
        chain = chain_of(before_and_after(day, after))
        assert day_heights_v91(chain, TODAY) == range(200, 341)
        assert day_heights(chain, TODAY) == range(200, 344)


def test_a_block_at_midnight_belongs_to_the_v91_day_only_when_the_search_walks_forward():
    day = [600 * index for index in range(144)]
    forward = chain_of(before_and_after(day, SLOW_BLOCKS))
    back = chain_of(before_and_after(day, FAST_BLOCKS[:12]))
    assert day_heights_v91(forward, TODAY) == range(200, 344)
    assert day_heights_v91(back, TODAY) == range(201, 344)
    assert day_heights(forward, TODAY) == day_heights(back, TODAY) == range(200, 344)


def test_the_v91_search_keeps_a_block_at_midnight_that_it_lands_on():
    day = [600 * index for index in range(144)]
    even = [600 * index for index in range(30)]
    assert day_heights_v91(chain_of(before_and_after(day, even)), TODAY) == range(200, 344)


def test_the_v91_search_jumps_back_while_the_jumps_are_positive():
    day = [60 + 300 * index for index in range(288)]
    chain = chain_of(before_and_after(day, FAST_BLOCKS))
    assert day_heights_v91(chain, TODAY) == day_heights(chain, TODAY) == range(200, 488)


@pytest.mark.parametrize(
    ("newest", "first"),
    [
        (1, 201),  # 144.5 blocks back are 144: one behind midnight
        (12, 201),  # six behind midnight are walked
        (14, 200),  # seven are jumped, right to it
    ],
)
def test_the_v91_search_rounds_to_even_and_jumps_from_seven_blocks_on(newest, first):
    day = [600 * index for index in range(144)]
    after = [300 * index for index in range(newest + 7)]
    chain = chain_of(before_and_after(day, after))
    assert day_heights_v91(chain, TODAY) == range(first, 344)


@pytest.mark.parametrize(
    ("between", "first"),
    [
        ([4800 + 30 * n for n in range(9)], 200),  # jumps of 8 and 8 lead to midnight
        (
            # jumps of 8 and 7, and the next would be of 8 again
            [4800, *range(3700, 4000, 50), 4200, *range(4210, 4280, 10), 4900],
            201,
        ),
    ],
)
def test_the_v91_search_stops_jumping_when_a_jump_comes_back_after_another(between, first):
    day = [600 * index for index in range(8)] + between + list(range(5400, DAY, 600))
    after = [120 * index for index in range(17)]
    chain = chain_of(before_and_after(day, after))
    assert day_heights_v91(chain, TODAY) == range(first, 200 + len(day))


@pytest.mark.parametrize("tip_after_midnight", [5, 6, 7])
def test_the_v91_day_is_finished_when_the_block_six_below_the_tip_is_of_the_next(
    tip_after_midnight,
):
    day = [60 + 600 * index for index in range(144)]
    chain = chain_of(before_and_after(day, [60 + 600 * n for n in range(1 + tip_after_midnight)]))
    if tip_after_midnight < 6:
        with pytest.raises(DayUnavailable, match="2024-05-10 isn't finished"):
            day_heights_v91(chain, TODAY)
    else:
        assert len(day_heights_v91(chain, TODAY)) == 144


def test_the_v91_rule_begins_on_its_first_day():
    first = date(2023, 12, 15)
    times = [midnight(first) - DAY + 300 + 600 * index for index in range(500)]
    chain = chain_of(times)
    assert day_heights_v91(chain, first) == range(144, 288)
    with pytest.raises(DayUnavailable, match="from 2023-12-15 on, not for 2023-12-14"):
        day_heights_v91(chain, first - timedelta(days=1))


def test_the_v91_search_says_when_it_leaves_the_source():
    chain = chain_of([START + 60 + 600 * index for index in range(300)], bottom=5000)
    with pytest.raises(DayUnavailable, match=r"version 9.1 for 2024-05-10 fails: stamped has no"):
        day_heights_v91(chain, TODAY)
    with pytest.raises(DayUnavailable, match="no block -4"):
        day_heights_v91(chain_of([START, START + 600, START + 1200]), TODAY)


def test_times_that_no_valid_chain_has_end_the_search():
    def time_of(height: int) -> int:
        return START + DAY + (2 * DAY if height % 3 == 0 else -DAY)

    chain = StampedChain(time_of, 0, 99_999)
    with pytest.raises(BlockCorrupt, match="out of order"):
        day_heights(chain, TODAY)
    assert chain.headers < 1100


def test_the_v91_default_day_is_the_one_before_the_block_six_below_the_tip():
    times = [START + 600 * index for index in range(300)]
    times[-1] = START - 3600
    assert rules.last_day_v91(BlockTimes(chain_of(times))) == TODAY + timedelta(days=1)
    assert last_day(chain_of(times)) == TODAY - timedelta(days=2)


def test_the_v91_default_day_needs_seven_blocks():
    with pytest.raises(DayUnavailable, match="no finished day"):
        rules.last_day_v91(BlockTimes(chain_of([START] * 6)))
