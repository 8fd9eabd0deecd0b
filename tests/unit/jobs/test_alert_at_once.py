import time
from contextlib import contextmanager
from dataclasses import replace
from threading import Barrier, Thread
from threading import Event as Flag

import pytest

from utxoracle.jobs import alert as alert_job
from utxoracle.jobs.alert import Event, alert
from utxoracle.jobs.alert_state import read_state, write_state
from utxoracle.jobs.condition import WELL, Condition
from utxoracle.jobs.conditions import Findings
from utxoracle.jobs.health import Check, CheckStatus
from utxoracle.jobs.webhook import longest_delivery
from utxoracle.settings import Settings

LONG = 30.0
"""Seconds; nothing in these tests takes that long, so where it is set it never counts."""

BACKUP = "utxoracle-backup.service"
UNIT = f"unit:{BACKUP}"
BROKEN = Check(CheckStatus.ERROR, "it is broken")


@pytest.fixture
def memory(tmp_path, monkeypatch):
    """The folder of what alerts remember; there is no systemd."""
    folder = tmp_path / "memory"
    monkeypatch.setenv("STATE_DIRECTORY", str(folder))
    monkeypatch.setenv("PATH", str(tmp_path))
    return folder


@pytest.fixture
def settings(tmp_path, receiver, memory):
    return Settings(
        data_dir=tmp_path,
        mount_point="none",
        alert_url=receiver.url,
        alert_timeout=LONG,
    )


@pytest.fixture
def check(settings, monkeypatch):
    """Run a check that finds what is given, and during which something happens."""

    def run(found, meanwhile=lambda: None):
        def conditions(*_):
            meanwhile()
            return Findings([Condition(name, "x", how) for name, how in found.items()], None)

        monkeypatch.setattr(alert_job, "conditions", conditions)
        return alert(Event.CHECK, settings)

    return run


def at_once(*works):
    threads = [Thread(target=work) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_two_at_once_send_each_message_once(check, receiver, monkeypatch):
    is_sending, other_is_there = Flag(), Flag()

    def wait_for_the_lock(_):
        other_is_there.set()
        time.sleep(0.01)

    def hold():
        if len(receiver.received) > 1:
            # Either this is the other, who should have waited, or it has been seen to wait.
            other_is_there.set()
        is_sending.set()
        assert other_is_there.wait(LONG)

    monkeypatch.setattr("utxoracle.jobs.alert_state.pause", wait_for_the_lock)
    receiver.before_answer = hold
    found = {"days": BROKEN, "backup": BROKEN}
    counts = []

    def first():
        counts.append(len(check(found).sent))

    def second():
        assert is_sending.wait(LONG)
        first()

    at_once(first, second)
    assert receiver.told == [("raised", "days"), ("raised", "backup")]
    assert sorted(counts) == [0, 2]


def test_a_disk_that_hangs_is_told_once_when_units_fail_at_once(settings, receiver, monkeypatch):
    units = (BACKUP, "utxoracle-analyze.service", "utxoracle-storage.service")
    all_look = Barrier(len(units), timeout=LONG)

    def storage(_):
        all_look.wait()
        return Condition("storage", "storage", BROKEN)

    monkeypatch.setattr(alert_job, "storage", storage)
    at_once(*(lambda unit=unit: alert(Event.FAILED, settings, unit=unit) for unit in units))
    assert receiver.told == [("raised", "storage")]


def test_a_unit_that_fails_while_a_check_looks_is_told_once_and_when_it_is_over(
    check, settings, receiver
):
    def fail():
        alert(Event.FAILED, settings, unit=BACKUP)

    check({"days": BROKEN}, fail)
    assert receiver.told == [("raised", UNIT), ("raised", "days")]
    fail()
    assert receiver.told == []
    check({UNIT: WELL})
    assert receiver.told == [("cleared", UNIT)]


@pytest.mark.parametrize("is_known", [False, True])
def test_what_failed_while_a_check_looked_is_not_over_by_what_that_saw(
    is_known, check, settings, receiver
):
    def fail():
        alert(Event.FAILED, settings, unit=BACKUP)

    if is_known:
        fail()
    check({UNIT: WELL}, fail)
    assert receiver.told == [("raised", UNIT)]
    check({UNIT: WELL})
    assert receiver.told == [("cleared", UNIT)]


def test_what_a_wrong_clock_has_dated_ahead_is_over_all_the_same(check, receiver, memory, settings):
    check({"days": BROKEN})
    state = read_state(memory, str(settings.data_dir))
    state.alerts["days"].seen += 1e6
    write_state(memory, state)
    check({"days": WELL})
    assert receiver.told == [("raised", "days"), ("cleared", "days")]


def test_after_a_minute_of_sending_the_rest_is_left_for_the_next_check(
    check, receiver, monkeypatch
):
    found = {"days": BROKEN, "backup": BROKEN, "run": BROKEN}
    monkeypatch.setattr(alert_job, "SENDING", 0.0)
    assert str(check(found).failure) == (
        f"{receiver.url} takes long to answer: only 1 of 3 alerts could be tried; the next check "
        "goes on"
    )
    assert receiver.told == [("raised", "days")]
    monkeypatch.setattr(alert_job, "SENDING", LONG)
    assert len(check(found).sent) == 2


@pytest.mark.parametrize("timeout", [5.0, 300.0])
def test_the_lock_is_waited_for_as_long_as_others_may_send(timeout, check, settings, monkeypatch):
    waited = []

    @contextmanager
    def state_lock(_, patience):
        waited.append(patience)
        yield

    monkeypatch.setattr(alert_job, "state_lock", state_lock)
    check({})
    alert(Event.CHECK, replace(settings, alert_timeout=timeout))
    assert waited[-1] > alert_job.SENDING + longest_delivery(timeout)
