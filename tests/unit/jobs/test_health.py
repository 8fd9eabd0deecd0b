from contextlib import closing
from dataclasses import replace
from datetime import date, timedelta

import pytest

from tests.unit.store.samples import (
    EXCHANGE,
    FIRST_DAY,
    FIRST_TIME,
    NO_EXCHANGE,
    NO_PRICE,
    batch,
    block_row,
    day_row,
    facts,
    window_row,
)
from utxoracle.bitcoin.network import REGTEST
from utxoracle.jobs.health import CheckStatus, HealthStatus, Stored, health, read_stored
from utxoracle.settings import Settings
from utxoracle.sources.preference import State
from utxoracle.store.database import Database
from utxoracle.store.last_run import NO_RUN
from utxoracle.store.snapshot import Snapshot, publish

TOP = 300
NOW = FIRST_TIME + 600 * TOP + 240
MINUTE = 60
HOUR = 60 * MINUTE

STORED = Stored(
    network="main",
    revision=17,
    top=block_row(TOP),
    window=window_row(TOP),
    day=None,
    missing_days=(),
)
RUN = replace(
    NO_RUN,
    started=NOW - 121.0,
    finished=NOW - 120.0,
    succeeded=NOW - 120.0,
    message="stored block 300",
    state="ok",
    source="mempool h:1",
    sources=[{"name": "mempool h:1", "state": "ok", "height": TOP}],
    tip_height=TOP,
    tip_time=block_row(TOP).time,
)
FAILED = replace(RUN, exit_code=3, message="mempool h:1 is down", succeeded=NOW - 600.0)


def found(stored=STORED, trouble=None, run=RUN, now=NOW, **settings):
    return health(stored, trouble, run, Settings(**settings), now)


def aged(minutes):
    return found(run=replace(FAILED, succeeded=NOW - minutes * MINUTE))


def test_all_well_needs_no_reasons():
    well = found()
    assert (well.status, well.reasons) == (HealthStatus.HEALTHY, [])
    assert [*well.checks] == ["snapshot", "run", "chain", "sources", "price", "days"]
    assert {check.status for check in well.checks.values()} == {CheckStatus.OK}
    assert all(check.detail and "\n" not in check.detail for check in well.checks.values())


@pytest.mark.parametrize(
    ("name", "told", "reason"),
    [
        (
            "snapshot",
            found(stored=None, trouble="/data is not there: mount its disk"),
            "/data is not there: mount its disk",
        ),
        ("snapshot", found(stored=None), "there is no snapshot: run utxoracle analyze"),
        ("run", found(run=None), "no run is known: last_run.json is not there, or can't be read"),
        (
            "run",
            found(run=replace(FAILED, succeeded=None)),
            "no run has gone well yet; the last one failed with exit code 3: mempool h:1 is down",
        ),
        (
            "run",
            aged(31),
            "no run has gone well for 31 min: the last one, 2 min ago, failed with exit code 3: ",
        ),
        (
            "run",
            found(run=replace(RUN, succeeded=NOW - 3 * HOUR, finished=NOW - 3 * HOUR)),
            "no run has gone well for 3 h: see that utxoracle analyze is started",
        ),
        ("chain", found(replace(STORED, top=None)), "no block is stored yet: run utxoracle"),
        (
            "chain",
            found(now=NOW + 4 * HOUR),
            "the newest stored block 300 is 4 h old: the chain stalls; see that the node is up",
        ),
        (
            "chain",
            found(run=replace(RUN, tip_height=1500), now=NOW + 4 * HOUR),
            "the newest stored block 300 is 4 h old: runs are catching up, 1,200 blocks",
        ),
        ("price", found(replace(STORED, window=None)), "there is no price yet: the first comes"),
    ],
)
def test_what_makes_the_price_unreliable_is_an_error_with_its_reason(name, told, reason):
    assert told.status == HealthStatus.UNHEALTHY
    assert told.checks[name].status == CheckStatus.ERROR
    assert told.checks[name].detail.startswith(reason)
    assert told.checks[name].detail in told.reasons


@pytest.mark.parametrize(
    ("name", "told", "reason"),
    [
        (
            "snapshot",
            found(trouble="it has been cut short: run utxoracle analyze"),
            "an older snapshot is in use, since it has been cut short: run utxoracle analyze",
        ),
        (
            "run",
            aged(29),
            "the last run failed with exit code 3: mempool h:1 is down; the last good one ended 29",
        ),
        (
            "price",
            found(replace(STORED, window=replace(window_row(TOP), facts=NO_PRICE))),
            "the price of block 300 is not valid: too few points",
        ),
        (
            "price",
            found(
                replace(
                    STORED,
                    window=replace(
                        window_row(TOP),
                        facts=replace(facts(), is_valid=False, invalid_reason="it jumps"),
                    ),
                )
            ),
            "the price of block 300 is not valid: it jumps",
        ),
        (
            "price",
            found(
                replace(
                    STORED,
                    window=replace(
                        window_row(TOP, exchange=replace(EXCHANGE, price=57_000.0)),
                        facts=facts(60_000.0),
                        diverges=True,
                    ),
                )
            ),
            "the price of block 300 and the exchange price diverge by -5.00 %",
        ),
        (
            "days",
            found(replace(STORED, missing_days=(date(2025, 11, 20), date(2025, 11, 23)))),
            "there is no price of 2025-11-20, 2025-11-23, though the blocks are stored: ",
        ),
    ],
)
def test_what_deserves_a_look_is_a_warning_with_its_reason(name, told, reason):
    assert told.status == HealthStatus.DEGRADED
    assert told.checks[name].status == CheckStatus.WARNING
    assert [told.checks[name].detail] == told.reasons
    assert told.reasons[0].startswith(reason)


@pytest.mark.parametrize("state", [one for one in State if one not in (State.OK, State.UNASKED)])
def test_a_source_that_is_not_well_is_named_with_advice(state):
    sources = [
        {"name": "bitcoind h:2", "state": state.value, "height": None},
        {"name": "mempool h:1", "state": "ok", "height": TOP},
    ]
    told = found(run=replace(RUN, sources=sources))
    assert told.status == HealthStatus.DEGRADED
    (reason,) = told.reasons
    assert reason.startswith(f"source bitcoind h:2 is {state}: ")
    assert "mempool" not in reason


def test_a_state_of_a_newer_version_is_told_without_advice():
    told = found(run=replace(RUN, sources=[{"name": "x", "state": "odd", "height": None}]))
    assert told.reasons == ["source x is odd"]


def test_a_source_that_was_not_needed_is_no_trouble():
    sources = [*RUN.sources, {"name": "bitcoind h:2", "state": "unasked", "height": None}]
    assert found(run=replace(RUN, sources=sources)).reasons == []


def test_errors_come_before_warnings():
    told = found(trouble="it is damaged", now=NOW + 4 * HOUR, run_minutes=1000)
    assert [reason.split()[0] for reason in told.reasons] == ["the", "an"]
    assert told.status == HealthStatus.UNHEALTHY


def test_without_a_snapshot_one_cause_is_one_reason():
    told = found(stored=None, trouble="gone")
    assert told.reasons == ["gone"]
    assert {told.checks[name].status for name in ("chain", "price", "days")} == {"unknown"}
    assert told.checks["run"].status == "ok"


def test_what_counts_as_late_is_set():
    late = replace(RUN, succeeded=NOW - 20 * MINUTE)
    assert found(run=late).status == HealthStatus.HEALTHY
    assert found(run=late, run_minutes=19).status == HealthStatus.UNHEALTHY
    assert found(now=NOW + 2 * HOUR, run_minutes=1000).status == HealthStatus.HEALTHY
    hasty = found(now=NOW + 2 * HOUR, run_minutes=1000, stall_minutes=60)
    assert hasty.status == HealthStatus.UNHEALTHY


def test_a_block_that_is_stamped_ahead_is_just_new_until_no_node_would_take_it():
    now = block_row(TOP).time - 2 * HOUR
    run = replace(RUN, finished=now - 5.0, succeeded=now - 5.0)
    assert (
        found(run=run, now=now).checks["chain"].detail == "the newest stored block 300 is 0 min old"
    )
    told = found(run=replace(run, finished=now - 65.0, succeeded=now - 65.0), now=now - 60)
    assert told.status == HealthStatus.DEGRADED
    assert told.reasons == [
        "the newest stored block 300 is stamped 2 h from now: check the clock of this machine"
    ]


def test_a_run_of_the_future_is_never_taken_for_a_recent_good_one():
    far = RUN.succeeded + 5 * HOUR
    told = found(run=replace(RUN, finished=far, succeeded=far))
    assert told.status == HealthStatus.DEGRADED
    assert told.reasons == ["the last good run ended 5 h from now: check the clock of this machine"]
    told = found(run=replace(FAILED, succeeded=far))
    assert told.status == HealthStatus.UNHEALTHY
    assert told.reasons[0].endswith("; the last run failed with exit code 3: mempool h:1 is down")


def test_a_clock_that_was_set_back_a_little_is_no_trouble():
    assert found(run=replace(RUN, succeeded=NOW + 30.0)).reasons == []


def test_no_exchange_price_is_no_trouble_and_told():
    window = window_row(TOP, exchange=NO_EXCHANGE)
    told = found(replace(STORED, window=window))
    assert told.reasons == []
    assert told.checks["price"].detail.endswith("no exchange price: the server is down")


def test_the_state_of_the_chain_is_told_as_by_status():
    assert found().chain_state == State.OK
    assert found(now=NOW + 4 * HOUR).chain_state == "stalled"
    assert found(run=replace(RUN, state="forked")).chain_state == State.FORKED
    assert found(run=None).chain_state is None


def stored_in(folder):
    with closing(Snapshot(folder)) as snapshot:
        return read_stored(snapshot.reader())


def store(folder, rows):
    with Database.open(folder, REGTEST) as database:
        database.commit(rows)
    publish(folder)


def test_an_empty_snapshot_is_read(folder):
    assert stored_in(folder) == Stored("regtest", 0, None, None, None, ())


def days_of(first, count):
    """Rows of the days that begin at midnight, 144 blocks each: block 0 is the first of day 0."""
    return [day_row(number, last_height=144 * (number + 1) - 1) for number in range(first, count)]


def test_the_newest_rows_are_read(folder):
    store(folder, batch(1, 300, days=days_of(1, 2)))
    stored = stored_in(folder)
    assert (stored.network, stored.revision) == ("regtest", 1)
    assert stored.top == block_row(300)
    assert stored.window == window_row(300)
    assert stored.day == day_row(1, last_height=287)
    assert stored.missing_days == ()


def dates(numbers):
    return tuple(FIRST_DAY + timedelta(days=number) for number in numbers)


def test_days_without_a_price_are_missing_where_their_blocks_are_stored_and_final(folder):
    assert FIRST_TIME % 86_400 == 0
    store(folder, batch(100, 10 * 144 + 5))
    # Day 0 isn't stored from its beginning, day 9 isn't final; of the others seven are looked at.
    assert stored_in(folder).missing_days == dates(range(2, 9))
    store(folder, batch(10 * 144 + 6, 10 * 144 + 6, days=days_of(1, 5)))
    assert stored_in(folder).missing_days == dates(range(5, 10))


def test_a_day_is_not_missing_before_six_blocks_follow_it(folder):
    store(folder, batch(1, 2 * 144 + 5))
    assert stored_in(folder).missing_days == ()
    store(folder, batch(2 * 144 + 6, 2 * 144 + 6))
    assert stored_in(folder).missing_days == dates([1])


def test_a_day_without_blocks_lacks_nothing(folder):
    later = 3 * 86_400
    rows = batch(1, 2 * 144 + 20, days=days_of(1, 1))
    blocks = [
        block if block.height < 144 else replace(block, time=block.time + later)
        for block in rows.blocks
    ]
    store(folder, replace(rows, blocks=blocks))
    assert stored_in(folder).missing_days == dates([4])


def test_a_few_blocks_make_no_day(folder):
    store(folder, batch(1, 3))
    assert stored_in(folder).missing_days == ()
