from datetime import date
from time import time

from utxoracle.jobs.catch_up import Growth
from utxoracle.jobs.report import Report, Tip, duration
from utxoracle.settings import Settings
from utxoracle.sources.exchange import ExchangePrice
from utxoracle.sources.preference import SourceState, State
from utxoracle.store.rows import DayRow, PriceFacts, WindowRow

FACTS = PriceFacts(60_000.5, 60_000, 400.0, 9000, 18_000, 17_000, 0.75, True, None, "v9.1")
INVALID = PriceFacts(None, None, None, 0, 0, 0, 0.0, False, "no output passes", "v9.1")
EXCHANGE = ExchangePrice(60_100.0, 1_700_000_000, None)
NO_EXCHANGE = ExchangePrice(None, None, "the server is down")


def report(growth: Growth | None, *, caught_up: bool = True, dry_run: bool = False) -> Report:
    tip = Tip(1000, "ab" * 32, int(time()))
    return Report("sim", tip, caught_up=caught_up, growth=growth, revision=1, dry_run=dry_run)


def grown(**changes) -> Growth:
    latest = WindowRow(990, "ab" * 32, 1_700_000_000, FACTS, EXCHANGE, diverges=False)
    found = Growth(blocks=3, first_height=988, last_height=990, windows=3, latest=latest)
    for name, value in changes.items():
        setattr(found, name, value)
    return found


def test_nothing_new_names_the_newest_block():
    assert report(None).message == "nothing new: block 1000 is the newest of sim"
    assert report(Growth()).message == report(None).message


def test_a_source_that_lags_behind_is_told():
    assert report(Growth(behind=2)).message == (
        "nothing new: sim ends at block 1000, 2 blocks behind what is stored"
    )


def test_what_was_stored_is_one_line():
    day = DayRow(date(2025, 1, 2), 800, 940, 141, INVALID, NO_EXCHANGE, diverges=None)
    assert report(grown(days=(day,), stale=1)).message == (
        "stored 3 blocks (988 to 990), 3 window prices, 1 daily price; the chain was reorganised: "
        "1 stale block gone; 2025-01-02 no price, not valid: no output passes; "
        "block 990 $60,000.50 (exchange $60,100)"
    )


def test_one_block_is_told_by_its_height_and_nothing_is_told_of_what_there_is_none():
    one = grown(blocks=1, first_height=990, windows=0, latest=None)
    assert report(one).message == "stored block 990"


def test_what_is_left_for_the_next_run_is_told():
    assert report(grown(), caught_up=False).message.endswith("; 10 blocks left for the next run")


def test_a_source_that_took_over_and_lags_is_told_too():
    ahead = grown(blocks=1, first_height=1001, last_height=1001, windows=0, latest=None, behind=1)
    assert report(ahead, caught_up=False).message == (
        "stored block 1001; sim ends at block 1000, 1 block behind what is stored"
    )


def test_a_dry_run_says_that_nothing_was_stored():
    assert report(grown(), dry_run=True).message.startswith("would store 3 blocks")


def test_the_state_is_that_of_the_chain_and_of_the_sources():
    assert report(None).state(Settings()) == "ok"
    assert report(None).state(Settings(stall_minutes=0)) == "stalled"
    assert report(Growth(behind=1)).state(Settings(stall_minutes=0)) == "ok"
    both = report(None).of([SourceState("sim", State.OK), SourceState("other", State.FORKED, 999)])
    assert both.state(Settings(stall_minutes=0)) == "forked"
    assert [one.height for one in both.sources] == [1000, 999]


def test_a_source_that_ends_far_below_what_is_stored_is_behind_and_a_warning():
    near, far = report(Growth(behind=2)), report(Growth(behind=3))
    assert (near.state(Settings()), far.state(Settings())) == ("ok", "behind")
    assert near.warnings(Settings(stall_minutes=0)) == []
    assert far.warnings(Settings()) == [
        "sim ends at block 1000, 3 blocks behind what is stored: has it stopped?"
    ]
    assert [one.state for one in far.of([SourceState("sim", State.OK)]).sources] == ["behind"]


def test_prices_that_are_not_valid_and_a_stalled_chain_are_warnings():
    assert report(grown()).warnings(Settings()) == []
    (warning,) = report(grown(invalid=2)).warnings(Settings())
    assert warning.startswith("2 prices stored as not valid")
    (warning,) = report(grown()).warnings(Settings(stall_minutes=0))
    assert "stalls: its newest block 1000" in warning


def test_lengths_of_time_are_said_in_units_that_fit():
    assert [duration(seconds) for seconds in (59, 7199, 7200, 172_000, 172_800, 86_400_000)] == [
        "1 min",
        "120 min",
        "2 h",
        "48 h",
        "2 days",
        "1,000 days",
    ]
