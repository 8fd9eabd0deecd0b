import pytest

from tests.conftest import another_user
from utxoracle.errors import UsageError
from utxoracle.jobs.checks.alerts import alerts
from utxoracle.jobs.health import CheckStatus
from utxoracle.settings import Settings

URL = "http://127.0.0.1:9099/hooks/secret"


def test_without_a_receiver_nobody_is_told():
    told = alerts(Settings())
    assert told.status == CheckStatus.UNKNOWN
    assert "nobody is told when something fails: set UTXORACLE_ALERT_URL" in told.detail


def test_a_receiver_that_is_set_is_named_without_what_may_be_secret():
    told = alerts(Settings(alert_url=URL))
    assert told.status == CheckStatus.OK
    assert told.detail.startswith("sent to http://127.0.0.1:9099; ")


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("alert_secret_file", "\n", "is empty: its first line must hold the value"),
        ("alert_url_file", "not a url", "can't be used as a URL: it must begin with http"),
    ],
)
def test_what_alerts_could_not_be_sent_with_fails(tmp_path, name, content, why):
    file = tmp_path / "file"
    file.write_text(content)
    url = None if name == "alert_url_file" else URL
    with pytest.raises(UsageError, match=f"{file} .*{why}"):
        alerts(Settings(alert_url=url, **{name: file}))


@pytest.mark.parametrize("name", ["alert_secret_file", "alert_url_file"])
def test_a_file_that_is_not_there_fails(tmp_path, name):
    url = None if name == "alert_url_file" else URL
    with pytest.raises(UsageError, match="can't be read: No such file"):
        alerts(Settings(alert_url=url, **{name: tmp_path / "gone"}))


def test_a_url_that_is_none_fails():
    with pytest.raises(UsageError, match="UTXORACLE_ALERT_URL can't be used as a URL"):
        alerts(Settings(alert_url="foo"))


def test_a_key_that_this_user_may_not_read_is_not_judged(open_folder):
    key = open_folder / "key"
    key.touch(0o600)
    with another_user(), pytest.raises(PermissionError):
        alerts(Settings(alert_url=URL, alert_secret_file=key))
