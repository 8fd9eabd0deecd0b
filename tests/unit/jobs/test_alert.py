import os
import shutil
import signal
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from tests.appliance import Appliance
from tests.conftest import another_user, ordinary_user
from tests.filled import fill
from utxoracle.errors import DeliveryError, StorageError, UsageError
from utxoracle.jobs.alert import Event, alert
from utxoracle.jobs.alert_state import read_state, state_file, write_state
from utxoracle.jobs.backup import backup
from utxoracle.settings import Settings
from utxoracle.store.folder import DataFolder
from utxoracle.store.last_run import read_last_run, write_last_run

BACKUP = "utxoracle-backup.service"
ANALYZE = "utxoracle-analyze.service"


@pytest.fixture(autouse=True)
def pauses(monkeypatch):
    made = []
    monkeypatch.setattr("utxoracle.jobs.webhook.pause", made.append)
    return made


@pytest.fixture
def memory(tmp_path, monkeypatch):
    """The folder of what alerts remember."""
    folder = tmp_path / "memory"
    monkeypatch.setenv("STATE_DIRECTORY", str(folder))
    return folder


@pytest.fixture
def no_systemd(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))


@pytest.fixture(scope="session")
def filled(tmp_path_factory):
    path = tmp_path_factory.mktemp("filled") / "data"
    fill(DataFolder(path))
    return path


@pytest.fixture
def data(filled, tmp_path):
    """A data folder whose days are not all there, and which has no backup."""
    return DataFolder(shutil.copytree(filled, tmp_path / "data"))


@pytest.fixture
def settings(data, receiver, memory):
    return Settings(
        data_dir=data.path,
        network="regtest",
        mount_point="none",
        min_free=0.0,
        alert_url=f"{receiver.url}/hook",
    )


BOTH = [("raised", "days"), ("raised", "backup")]


def test_each_condition_is_told_once_and_once_more_when_it_is_over(settings, receiver, memory):
    outcome = alert(Event.CHECK, settings)
    assert receiver.told == BOTH
    assert outcome.open == ["days", "backup"]
    assert alert(Event.CHECK, settings).sent == []
    assert receiver.told == []
    backup(settings)
    ((message, _),) = alert(Event.CHECK, settings).sent
    assert receiver.told == [("cleared", "backup")]
    assert message["level"] == "info"
    assert message["message"].startswith("over after 0 min: there is no backup in ")
    assert alert(Event.CHECK, settings).open == ["days"]
    assert receiver.told == []


def test_a_dump_that_is_overdue_is_told_once_and_when_there_is_a_new_one(settings, receiver):
    backup(settings)
    folder = settings.backup_folder()
    (folder / "mempool_db_2026-01-02.sql.gz").touch()
    for _ in range(2):
        alert(Event.CHECK, settings)
    assert receiver.told == [("raised", "days"), ("raised", "mempool-backup")]
    (folder / f"mempool_db_{datetime.now(UTC):%Y-%m-%d_%H%M%S}.sql.gz").touch()
    alert(Event.CHECK, settings)
    assert receiver.told == [("cleared", "mempool-backup")]


def test_a_message_tells_all_that_a_receiver_may_ask_for(settings, receiver):
    folder = DataFolder(settings.data_dir)
    sources = [{"name": "mempool <@everyone>", "state": "unreachable", "height": None}]
    write_last_run(folder, replace(read_last_run(folder), sources=sources))
    alert(Event.CHECK, settings)
    message = next(one.message for one in receiver.received if one.message["component"] == "source")
    assert [*message] == [
        "level", "component", "condition", "state", "message", "timestamp", "id", "host",
        "network", "context", "text", "content",
    ]  # fmt: skip
    assert message["level"] == "warning"
    assert message["condition"] == "source:mempool <@everyone>"
    assert message["network"] == "regtest"
    assert message["context"]["price"] == pytest.approx(60_000.33, abs=0.01)
    assert message["text"] == message["content"]
    assert message["text"].startswith("[warning] utxoracle on ")
    assert not {*"<>@"} & {*message["text"]}


def test_what_could_not_be_delivered_is_sent_by_the_same_name_with_the_next_check(
    settings, receiver
):
    receiver.always = 500
    outcome = alert(Event.CHECK, settings)
    assert (outcome.sent, outcome.open) == ([], [])
    assert isinstance(outcome.failure, DeliveryError)
    assert str(outcome.failure) == (
        f"an alert could not be delivered: {receiver.url} answered 500 Internal Server Error "
        "(3 tries); it is sent again with the next check"
    )
    # The second is not even tried, since the first has found the receiver away.
    names = {one.headers["X-Utxoracle-Delivery"] for one in receiver.received}
    assert len(names) == 1
    assert len(receiver.received) == 3
    first = receiver.received[0]
    receiver.received.clear()
    receiver.always = None
    assert alert(Event.CHECK, settings).failure is None
    assert (receiver.received[0].body, receiver.received[0].headers["X-Utxoracle-Delivery"]) == (
        first.body,
        *names,
    )
    assert receiver.told == BOTH


def test_a_message_that_is_refused_does_not_keep_others_back(settings, receiver):
    receiver.statuses = [400]
    outcome = alert(Event.CHECK, settings)
    assert isinstance(outcome.failure, DeliveryError)
    assert receiver.told == BOTH
    assert outcome.open == ["backup"]
    assert alert(Event.CHECK, settings).failure is None
    assert receiver.told == BOTH[:1]


def test_what_was_over_before_it_could_be_told_is_told_at_last(settings, receiver):
    receiver.always = 500
    alert(Event.FAILED, settings, unit=BACKUP)
    receiver.received.clear()
    alert(Event.RECOVERED, settings, unit=BACKUP)
    receiver.always = None
    receiver.received.clear()
    alert(Event.CHECK, settings)
    messages = [one.message for one in receiver.received]
    assert receiver.told == [*BOTH, ("cleared", f"unit:{BACKUP}")]
    assert ", and could not be told before: utxoracle-backup" in messages[-1]["message"]


def test_what_holds_again_before_its_end_was_told_stays_the_same_alert(settings, receiver):
    alert(Event.FAILED, settings, unit=BACKUP)
    receiver.always = 500
    alert(Event.RECOVERED, settings, unit=BACKUP)
    receiver.always = None
    receiver.received.clear()
    assert alert(Event.FAILED, settings, unit=BACKUP).sent == []
    alert(Event.RECOVERED, settings, unit=BACKUP)
    assert receiver.told == [("cleared", f"unit:{BACKUP}")]


@pytest.mark.usefixtures("no_systemd")
def test_a_unit_that_fails_is_told_once_until_it_has_recovered(settings, receiver):
    for _ in range(2):
        alert(Event.FAILED, settings, unit="utxoracle-backup")
    (got,) = receiver.received
    assert got.message["level"] == "critical"
    assert got.message["message"] == f"{BACKUP} failed: see journalctl -u {BACKUP}"
    assert got.message["context"] == {"unit": BACKUP}
    receiver.received.clear()
    alert(Event.RECOVERED, settings, unit=BACKUP)
    assert receiver.told == [("cleared", f"unit:{BACKUP}")]
    assert alert(Event.RECOVERED, settings, unit=BACKUP).sent == []


@pytest.mark.usefixtures("no_systemd")
def test_what_the_last_run_said_is_told_of_analyze(settings, receiver):
    folder = DataFolder(settings.data_dir)
    run = read_last_run(folder)
    write_last_run(folder, replace(run, exit_code=3, message="mempool h:1 is down"))
    alert(Event.FAILED, settings, unit=ANALYZE)
    assert receiver.received[0].message["message"] == f"{ANALYZE} failed: mempool h:1 is down"
    write_last_run(folder, replace(run, finished=run.finished + 1e6, succeeded=run.finished + 1e6))
    receiver.received.clear()
    alert(Event.CHECK, settings)
    assert ("cleared", f"unit:{ANALYZE}") in receiver.told


@pytest.fixture
def systemd(tmp_path, monkeypatch):
    """Stand-ins for systemctl and journalctl, which print what they are given."""
    programs = tmp_path / "programs"
    programs.mkdir()

    def tell(program, text):
        path = programs / program
        path.write_text(f"#!/bin/sh\ncat <<'END'\n{text}\nEND\n")
        path.chmod(0o755)

    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    return tell


FAILED_UNIT = """LoadState=loaded
ActiveState=failed
Result=exit-code
ExecMainStatus=5
ExecMainExitTimestamp=@1700000000
InvocationID=0123456789abcdef"""


def test_what_the_program_said_last_is_told_and_nothing_that_others_said(
    settings, receiver, systemd
):
    systemd("systemctl", FAILED_UNIT)
    systemd(
        "journalctl",
        "utxoracle: the disk is full: make room\npassword=S3CRET\nutxoracle: warning: slow",
    )
    alert(Event.FAILED, settings, unit=BACKUP)
    message = receiver.received[0].message
    assert message["message"] == (
        f"{BACKUP} failed (exit-code, exit status 5): the disk is full: make room"
    )
    assert message["context"] == {"unit": BACKUP, "result": "exit-code", "exit_status": 5}


def test_a_unit_that_was_not_started_is_told_as_such(settings, receiver, systemd):
    systemd("systemctl", "LoadState=loaded\nActiveState=inactive\nResult=success")
    systemd("journalctl", "")
    alert(Event.FAILED, settings, unit=BACKUP)
    assert receiver.received[0].message["message"] == (
        f"{BACKUP} was not started, since a unit that it needs failed: see journalctl -u {BACKUP}"
    )


def test_a_missing_disk_is_one_condition_whatever_unit_reports_it(settings, receiver, data):
    away = data.path.with_name("away")
    data.path.rename(away)
    for unit in (BACKUP, ANALYZE, "utxoracle-storage.service"):
        alert(Event.FAILED, settings, unit=unit)
    alert(Event.CHECK, settings)
    assert receiver.told == [("raised", "storage")]
    away.rename(data.path)
    alert(Event.CHECK, settings)
    assert receiver.told == [*BOTH, ("cleared", "storage")]


@pytest.mark.usefixtures("no_systemd")
def test_a_unit_that_fails_is_told_though_its_disk_can_not_be_looked_at(
    settings, receiver, monkeypatch
):
    def broken(_):
        raise ValueError

    monkeypatch.setattr("utxoracle.jobs.checks.disk.mount", broken)
    alert(Event.FAILED, settings, unit=BACKUP)
    assert receiver.told == [("raised", f"unit:{BACKUP}")]


def test_the_worst_comes_first(settings, receiver, data):
    data.last_run.unlink()
    alert(Event.CHECK, settings)
    assert [one.message["level"] for one in receiver.received] == ["critical"] * 2 + ["warning"]


def test_a_test_is_always_sent_and_nothing_is_remembered(settings, receiver, memory):
    for _ in range(2):
        outcome = alert(Event.TEST, settings)
        assert outcome.sent[0][1].status == 200
    assert receiver.told == [("test", "test")] * 2
    assert not memory.exists()


def test_a_dry_run_sends_and_changes_nothing_and_needs_no_url(settings, receiver, memory):
    dry = replace(settings, alert_url=None)
    for event, unit in ((Event.CHECK, None), (Event.FAILED, BACKUP), (Event.TEST, None)):
        outcome = alert(event, dry, unit=unit, dry_run=True)
        assert outcome.sent
        assert outcome.failure is None
        assert not memory.exists()
    alert(Event.CHECK, settings)
    before = state_file(memory).read_bytes()
    assert alert(Event.CHECK, dry, dry_run=True).sent == []
    alert(Event.FAILED, dry, unit=BACKUP, dry_run=True)
    assert state_file(memory).read_bytes() == before
    assert receiver.told == BOTH


@pytest.mark.parametrize("name", ["alert_url_file", "alert_secret_file"])
def test_a_dry_run_opens_the_files_of_secrets_as_an_alert_does(settings, open_folder, name):
    secret = open_folder / "secret"
    secret.write_text("http://127.0.0.1:1/")
    secret.chmod(0o600)
    closed = replace(settings, **{"alert_url": None, name: secret})
    assert alert(Event.TEST, closed, dry_run=True).sent
    with another_user():
        for dry_run in (True, False):
            with pytest.raises(UsageError, match=rf"{secret} .* can't be read: Permission denied"):
                alert(Event.TEST, closed, dry_run=dry_run)


def test_wrong_settings_are_a_condition(settings, receiver):
    alert(Event.CHECK, settings, fault="the settings can't be used: X must be a number")
    assert receiver.told == [("raised", "settings")]
    alert(Event.CHECK, settings)
    assert receiver.told == [*BOTH, ("cleared", "settings")]


def test_a_test_tells_of_wrong_settings_here(settings, receiver, caplog):
    alert(Event.TEST, settings, fault="the settings can't be used: X must be a number")
    assert caplog.messages == ["the settings can't be used: X must be a number"]
    assert len(receiver.told) == 1


def test_each_data_folder_is_told_of_by_itself(settings, receiver, tmp_path):
    alert(Event.CHECK, settings)
    assert receiver.told == BOTH
    other = replace(settings, data_dir=shutil.copytree(settings.data_dir, tmp_path / "other"))
    alert(Event.CHECK, other)
    assert receiver.told == BOTH
    for one in (settings, other, replace(other, data_dir=tmp_path / "other/../other")):
        assert alert(Event.CHECK, one).sent == []
    backup(other)
    assert [alert(Event.CHECK, one).open for one in (other, settings)] == [
        ["days"],
        ["days", "backup"],
    ]


def test_a_clock_that_was_set_back_makes_no_length_of_time_below_nothing(
    settings, receiver, memory
):
    alert(Event.CHECK, settings)
    state = read_state(memory, str(settings.data_dir))
    state.alerts["backup"].since += 1e6
    write_state(memory, state)
    backup(settings)
    ((message, _),) = alert(Event.CHECK, settings).sent
    assert message["message"].startswith("over after 0 min: ")


def test_what_gets_worse_is_told_once_more_and_what_gets_better_is_not(
    settings, receiver, data, memory
):
    alert(Event.CHECK, settings)
    first = receiver.received[1]
    assert first.message["level"] == "warning"
    state = read_state(memory, str(settings.data_dir))
    state.alerts["backup"].since = 1.5e9
    write_state(memory, state)
    receiver.received.clear()
    old = data.path / "backups" / "utxoracle_cache_2026-01-02.db"
    old.parent.mkdir()
    old.touch()
    alert(Event.CHECK, settings)
    (second,) = receiver.received
    assert second.message["level"] == "critical"
    assert "a backup is overdue" in second.message["message"]
    for key in ("condition", "state", "id"):
        assert second.message[key] == first.message[key]
    assert second.message["timestamp"] == "2017-07-14T02:40:00Z"
    assert second.headers["X-Utxoracle-Delivery"] != first.headers["X-Utxoracle-Delivery"]
    old.unlink()
    assert alert(Event.CHECK, settings).sent == []
    old.touch()
    assert alert(Event.CHECK, settings).sent == []


def test_a_source_whose_name_can_not_be_shown_is_told_once(settings, receiver, memory, caplog):
    folder = DataFolder(settings.data_dir)
    sources = [{"name": "mempool \udcff", "state": "unreachable", "height": None}]
    write_last_run(folder, replace(read_last_run(folder), sources=sources))
    assert len(alert(Event.CHECK, settings).sent) == 3
    assert alert(Event.CHECK, settings).sent == []
    assert not caplog.text


@pytest.mark.parametrize("content", [b"junk", b"", b'{"alerts": [{}]}'])
def test_where_the_memory_is_junk_all_is_sent_again(content, settings, receiver, memory, caplog):
    alert(Event.CHECK, settings)
    state_file(memory).write_bytes(content)
    receiver.received.clear()
    alert(Event.CHECK, settings)
    assert receiver.told == BOTH
    assert "alerts.json can't be read" in caplog.text
    assert [*read_state(memory, str(settings.data_dir)).alerts] == ["days", "backup"]


def test_where_nothing_can_be_remembered_all_is_sent_before_that_is_said(
    settings, receiver, memory, open_folder, monkeypatch
):
    data = DataFolder(shutil.copytree(settings.data_dir, open_folder / "data"))
    data.path.chmod(0o755)
    for path in data.path.iterdir():
        path.chmod(0o644 if path.is_file() else 0o755)
    kept = open_folder / "kept"
    kept.mkdir(mode=0o555)
    monkeypatch.setenv("STATE_DIRECTORY", str(kept))
    with ordinary_user():
        if os.access(kept, os.W_OK, effective_ids=True):
            pytest.skip("this user may write everywhere")
        for _ in range(2):
            outcome = alert(Event.CHECK, replace(settings, data_dir=data.path))
            assert receiver.told == BOTH
            assert isinstance(outcome.failure, StorageError)
            assert "until then alerts come again with every check" in str(outcome.failure)


@pytest.mark.parametrize(
    ("event", "unit"),
    [
        (Event.CHECK, BACKUP),
        (Event.TEST, BACKUP),
        (Event.FAILED, None),
        (Event.RECOVERED, ""),
        (Event.FAILED, "--help"),
        (Event.FAILED, "a b"),
        (Event.FAILED, "a/b"),
        (Event.FAILED, "x" * 300),
    ],
)
def test_a_unit_is_named_where_an_event_is_about_one(event, unit, settings, receiver):
    with pytest.raises(UsageError):
        alert(event, settings, unit=unit)
    assert not receiver.received


@pytest.fixture
def appliance(data, receiver, memory):
    return Appliance(
        data.path,
        "",
        UTXORACLE_ALERT_URL=f"{receiver.url}/hook",
        UTXORACLE_MOUNT_POINT="none",
        UTXORACLE_MIN_FREE="0",
    )


def test_who_is_killed_before_it_can_remember_sends_again_by_the_same_name(appliance, receiver):
    process = appliance.start("alert", "--event", "check")
    receiver.before_answer = lambda: process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    receiver.before_answer = lambda: None
    done = appliance.run("alert", "--event", "check")
    assert done.returncode == 0, done.stderr
    first, again, _ = receiver.received
    assert again.body == first.body
    assert again.headers["X-Utxoracle-Delivery"] == first.headers["X-Utxoracle-Delivery"]
    assert receiver.told == [BOTH[0], *BOTH]
