import json

import pytest

from tests.appliance import Appliance, one_line, simulated_node

CHAIN = "seed=5,days=1,transactions=20,blocks_per_day=100"
SECRET = "/hooks/S3CRET?token=S3CRET"


@pytest.fixture
def appliance(folder, tmp_path):
    """An empty data folder, about which there is something to tell."""
    one = Appliance(folder.path, "", STATE_DIRECTORY=str(tmp_path / "state"))
    one.environment |= {"UTXORACLE_MOUNT_POINT": "none", "UTXORACLE_MIN_FREE": "0"}
    return one


@pytest.fixture
def check(appliance, receiver):
    """Run a check that sends to the receiver."""

    def run(*arguments, **settings):
        url = receiver.url + SECRET
        return appliance.run(
            "alert", "--event=check", *arguments, UTXORACLE_ALERT_URL=url, **settings
        )

    return run


def test_each_message_is_a_line(check, receiver):
    done = check()
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == len(receiver.received)
    assert all(line.startswith("sent (200 OK): [") for line in lines)
    assert "sent (200 OK): [critical] no run is known: last_run.json is not there" in done.stdout
    again = check()
    assert again.stdout == "nothing new to send; told before: run, chain, backup\n"
    assert again.returncode == 0


def test_json_holds_what_was_sent(check, receiver):
    report = json.loads(check("--json").stdout)
    assert [*report] == ["sent", "open", "failure"]
    assert [one["message"] for one in report["sent"]] == [one.message for one in receiver.received]
    assert [(one["status"], one["tries"]) for one in report["sent"]] == [(200, 1)] * 3
    assert report["open"] == ["run", "chain", "backup"]
    assert report["failure"] is None
    assert json.loads(check("--json").stdout)["sent"] == []


def test_a_failure_is_one_line_and_exit_code_3(check, receiver):
    receiver.always = 404
    line = one_line(check(), 3)
    assert line == (
        f"utxoracle: an alert could not be delivered: {receiver.url} answered 404 Not Found: check "
        "UTXORACLE_ALERT_URL, or see the receiver's log; it is sent again with the next check\n"
    )
    report = check("--json")
    assert report.returncode == 3
    assert "404" in json.loads(report.stdout)["failure"]


def test_no_secret_is_ever_shown_or_remembered(appliance, check, receiver, tmp_path):
    key = tmp_path / "key"
    key.write_text("S3CRET")
    said = []
    for always in (404, None):
        receiver.always = always
        done = appliance.run(
            "alert", "--event=test", "--verbose", UTXORACLE_ALERT_URL=receiver.url + SECRET,
            UTXORACLE_ALERT_SECRET_FILE=str(key),
        )  # fmt: skip
        said += [done.stdout, done.stderr]
        done = check("--verbose", UTXORACLE_ALERT_SECRET_FILE=str(key))
        said += [done.stdout, done.stderr]
    said += [path.read_text() for path in (tmp_path / "state").iterdir()]
    assert "S3CRET" not in "".join(said)
    assert len({one.headers["X-Utxoracle-Signature"] for one in receiver.received}) > 1
    assert not any(b"S3CRET" in one.body for one in receiver.received)


def test_a_test_says_what_came_back(appliance, receiver):
    done = appliance.run("alert", "--event=test", UTXORACLE_ALERT_URL=receiver.url)
    assert done.stdout == "sent (200 OK): [test] a test: alerts arrive\n"
    receiver.always = 410
    line = appliance.refused(3, "alert", "--event=test", UTXORACLE_ALERT_URL=receiver.url)
    assert "answered 410 Gone" in line
    assert "next check" not in line


def test_without_a_url_it_is_said_what_to_set(appliance):
    assert "set UTXORACLE_ALERT_URL" in appliance.refused(2, "alert", "--event=check")
    done = appliance.run("alert", "--event=check", "--dry-run")
    assert done.returncode == 0
    assert done.stdout.startswith("would send: [critical] no run is known: ")
    report = json.loads(appliance.run("alert", "--event=check", "--dry-run", "--json").stdout)
    assert [one["status"] for one in report["sent"]] == [None] * 3


def test_usage_errors_are_one_line(appliance):
    assert "--event failed wants --unit" in appliance.refused(2, "alert", "--event=failed")
    assert "--event" in appliance.refused(2, "alert")
    assert "takes no --unit" in appliance.refused(2, "alert", "--event=check", "--unit=x")


def test_that_a_setting_is_wrong_is_told_though_nothing_else_runs(check, receiver):
    done = check(UTXORACLE_RETRIES="many")
    assert done.returncode == 0
    assert done.stdout == (
        "sent (200 OK): [critical] the settings can't be used: UTXORACLE_RETRIES must be a whole "
        "number, not 'many'\n"
    )
    assert check(UTXORACLE_NO_SUCH="1").stdout.startswith("nothing new to send; told before: ")
    check()
    assert ("cleared", "settings") in receiver.told


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("NETWORK", "foo", "UTXORACLE_NETWORK is 'foo', but must be one of main"),
        ("ALERT_TIMEOUT", "soon", "UTXORACLE_ALERT_TIMEOUT must be a number, not 'soon'"),
        ("ALERT_TIMEOUT", "0", "UTXORACLE_ALERT_TIMEOUT must be greater than 0"),
    ],
)
def test_that_a_setting_is_wrong_is_told_though_alerts_use_it_too(check, name, value, told):
    done = check(**{f"UTXORACLE_{name}": value})
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"sent (200 OK): [critical] the settings can't be used: {told}")


def test_a_memory_that_can_not_be_kept_is_exit_code_5(appliance, check, receiver, tmp_path):
    (tmp_path / "state").write_text("no folder")
    done = check()
    assert done.returncode == 5
    assert len(receiver.received) == 3
    assert "alerts come again with every check" in done.stderr


def test_a_dead_fallback_is_told_by_real_runs(tmp_path, receiver):
    one = Appliance(
        tmp_path / "data",
        "",
        UTXORACLE_ALERT_URL=receiver.url,
        UTXORACLE_MOUNT_POINT="none",
        UTXORACLE_MIN_FREE="0",
        UTXORACLE_STALL_MINUTES="1e9",
        UTXORACLE_RETRIES="0",
        STATE_DIRECTORY=str(tmp_path / "state"),
    ).init()
    with simulated_node(CHAIN) as main:
        with simulated_node(CHAIN) as fallback:
            both = f"{main.mempool} {fallback.mempool}"
            one.analyze(UTXORACLE_SOURCE=both)
            assert one.run("alert", "--event=check").returncode == 0
            assert not [name for _, name in receiver.told if name.startswith("source:")]
        one.analyze(UTXORACLE_SOURCE=both)
        one.run("alert", "--event=check")
        condition = f"source:{fallback.mempool.replace('+http://', ' ')}"
        assert receiver.told == [("raised", condition)]
        one.analyze(UTXORACLE_SOURCE=main.mempool)
        one.run("alert", "--event=check")
        assert receiver.told == [("cleared", condition)]
