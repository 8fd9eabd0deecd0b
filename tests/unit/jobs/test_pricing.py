from dataclasses import replace

import pytest

from utxoracle.bitcoin.network import REGTEST
from utxoracle.jobs import pricing
from utxoracle.jobs.pricing import Pricer
from utxoracle.jobs.scanning import scan_blocks
from utxoracle.price.estimate import estimate, estimate_day
from utxoracle.price.window import gather, link
from utxoracle.settings import Settings

HEIGHTS = range(830, 1130)


@pytest.fixture(scope="module")
def scans(source):
    return scan_blocks(source, HEIGHTS, network=REGTEST)


@pytest.fixture(scope="module")
def linked(scans):
    return link(scans)


def priced(blocks, settings: Settings | None = None):
    """Return all window and day rows that the blocks give, one after the other."""
    pricer = Pricer(
        settings or Settings(),
        first_height=None,
        recent=[],
        untold=[],
        last_window=None,
        last_day=None,
    )
    found = [pricer.add(block) for block in blocks]
    return (
        [one.window for one in found if one.window],
        [day for one in found for day in one.days],
        found,
    )


@pytest.fixture(scope="module")
def rows(linked):
    return priced(linked)


def test_every_window_has_the_price_of_its_own_144_blocks_alone(rows, scans):
    windows, _, _ = rows
    assert [row.height for row in windows] == list(HEIGHTS)[144:]
    for row in windows[::7]:
        at = row.height - HEIGHTS[0]
        alone = estimate(gather(link(scans[at - 144 : at])))
        assert (row.facts.price, row.facts.confidence) == (alone.price, alone.confidence)
        assert (row.facts.outputs, row.facts.points) == (alone.outputs, alone.points)
        assert (row.hash, row.time) == (scans[at].hash, scans[at].time)


def test_a_finished_day_has_the_price_of_its_own_blocks_alone(rows, scans):
    _, (day, *_), _ = rows
    inside = [scan for scan in scans if day.first_height <= scan.height <= day.last_height]
    assert day.blocks == len(inside)
    assert day.facts.price == estimate_day(gather(link(inside))).price


def test_points_come_with_the_window_that_they_belong_to(rows):
    _, _, found = rows
    assert found[100].points is None
    points = found[-1].points
    assert points.height == HEIGHTS[-1]
    assert 0 < len(points.heights) == len(points.prices) <= 5000


def test_a_pricer_that_goes_on_gives_what_one_would_that_never_stopped(rows, linked):
    windows, days, _ = rows
    at = 220
    before = [row for row in windows if row.height < HEIGHTS[at]]
    known = [day for day in days if day.last_height + 7 < HEIGHTS[at]]
    untold = known[-1].last_height + 1 if known else HEIGHTS[0]
    again = Pricer(
        Settings(),
        first_height=HEIGHTS[0],
        recent=linked[:at],
        untold=[block.time for block in linked[:at] if block.height >= untold],
        last_window=before[-1],
        last_day=known[-1] if known else None,
    )
    found = [again.add(block) for block in linked[at:]]
    assert before + [one.window for one in found] == windows
    assert known + [day for one in found for day in one.days] == days


def test_blocks_without_a_price_are_stored_with_the_reason(linked):
    empty = [replace(block, values=block.values[:0], parents=block.parents[:0]) for block in linked]
    windows, days, found = priced(empty)
    assert {row.facts.invalid_reason for row in windows} == {
        "no output of 0.00001 to 100 BTC passes the filters"
    }
    assert {(row.facts.price, row.facts.is_valid, row.facts.outputs) for row in windows} == {
        (None, False, 0)
    }
    assert not days[0].facts.is_valid
    assert len(found[-1].points.prices) == 0


def test_a_day_of_too_many_blocks_has_no_price_and_the_next_one_does(linked, monkeypatch):
    monkeypatch.setattr(pricing, "LONGEST_DAY", 100)
    _, days, _ = priced(linked)
    assert days[0].facts.price is None
    assert days[0].facts.invalid_reason.endswith("a day of more than 100 is not priced")


def test_only_a_valid_price_before_is_what_another_may_not_jump_from(linked):
    jumpy = Settings(max_window_jump=0.0)
    windows, _, _ = priced(linked, jumpy)
    valid = [row.facts.is_valid for row in windows]
    # The second jumps away from the first; the third has no valid one before it.
    assert valid[:2] == [True, False]
    for (one, is_valid), (other, other_is_valid) in zip(
        zip(windows, valid, strict=True), list(zip(windows, valid, strict=True))[1:], strict=False
    ):
        same = one.facts.price == other.facts.price
        assert other_is_valid == (not is_valid or same)
