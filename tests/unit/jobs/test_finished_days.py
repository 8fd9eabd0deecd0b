from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from tests.unit.sources.test_days import DAY, START, TODAY, day_by_the_rule, ragged_chains
from utxoracle.jobs.finished_days import FinishedDay, finished_days, first_day_start


def all_days(times: list[int], first_height: int) -> list[FinishedDay]:
    start = first_day_start(first_height, times)
    return [] if start is None else list(finished_days(start, times[start - first_height :]))


@given(ragged_chains(), st.integers(0, 50))
def test_the_days_of_a_chain_are_those_that_are_found_by_asking_for_each(times, bottom):
    found = all_days(times, bottom)
    asked = {
        day: heights
        for offset in range(-2, 14)
        if (day := TODAY + timedelta(days=offset))
        and (heights := day_by_the_rule(times, bottom, day))
    }
    first = START + (times[0] - START) // DAY * DAY
    after_first = {
        day: heights for day, heights in asked.items() if (day - TODAY).days * DAY + START > first
    }
    assert {day.date: range(day.first, day.stop) for day in found} == after_first


@given(ragged_chains())
def test_days_told_block_by_block_are_those_told_at_once(times):
    told: list[FinishedDay] = []
    for known in range(1, len(times) + 1):
        if told:
            start = told[-1].stop
        else:
            found = first_day_start(0, times[:known])
            if found is None:
                continue
            start = found
        told += finished_days(start, times[start:known])
    assert told == all_days(times, 0)


def test_a_day_is_finished_by_the_seventh_block_behind_it():
    evening, morning = [START - 60], [START + 600 * index for index in range(50)]
    next_day = [START + DAY + 60 * index for index in range(7)]
    times = evening + morning + next_day
    assert all_days(times[:-1], 100) == []
    assert all_days(times, 100) == [FinishedDay(TODAY, first=101, stop=151)]
    assert all_days(times, 100)[0].blocks == 50


def test_days_without_a_block_are_passed_over():
    later = START + 5 * DAY
    times = [START - 60, START + 60, *(later + 60 * index for index in range(7))]
    assert [day.date for day in all_days(times, 0)] == [TODAY]
    times += [later + DAY + 60 * index for index in range(7)]
    assert [day.date for day in all_days(times, 0)] == [TODAY, TODAY + timedelta(days=5)]


def test_no_day_is_told_of_a_chain_that_shows_no_beginning():
    assert first_day_start(0, []) is None
    assert first_day_start(0, [START + 60 * index for index in range(100)]) is None
