import pytest

from utxoracle.jobs import backup_conditions as job
from utxoracle.jobs.alert_state import BackupReading
from utxoracle.jobs.backup_conditions import backup_conditions
from utxoracle.jobs.health import Check, CheckStatus
from utxoracle.settings import Settings

NOW = 1_767_355_200.0
"""2026-01-02 12:00 UTC."""

GOOD = Check(CheckStatus.OK, "good")
SIZE = 3_000_000


@pytest.fixture
def settings(tmp_path):
    """A folder with a backup of some size."""
    settings = Settings(data_dir=tmp_path / "data", backup_dir=tmp_path / "kept")
    settings.backup_dir.mkdir()
    with (settings.backup_dir / "utxoracle_cache_2026-01-02.db").open("wb") as file:
        file.truncate(SIZE)
    return settings


@pytest.fixture
def patience(monkeypatch):
    """The seconds that each step has got."""
    given = []

    def within(seconds, work):
        given.append(seconds)
        return work()

    monkeypatch.setattr(job, "within", within)
    return given


def looked_at(monkeypatch, whole):
    """Let a backup seem good by its name, and be as `whole` tells when it is read."""

    def last_backup(*_, verify=True):
        return whole() if verify else GOOD

    monkeypatch.setattr(job.backups, "last_backup", last_backup)


def test_a_backup_gets_time_by_its_size_to_be_read(settings, patience, monkeypatch):
    looked_at(monkeypatch, lambda: GOOD)
    found, read = backup_conditions(settings, None, NOW)
    assert patience == [60.0, 60.0, 63.0]
    assert all(one.is_over for one in found)
    patience.clear()
    assert backup_conditions(settings, read, NOW)[1] == read
    assert patience == [60.0, 60.0]


def test_one_that_is_not_read_in_time_is_told_and_read_again(settings, patience, monkeypatch):
    def hang():
        raise TimeoutError

    looked_at(monkeypatch, hang)
    before = BackupReading("another", None)
    (backup, dump), read = backup_conditions(settings, before, NOW)
    assert backup.check == Check(
        CheckStatus.ERROR,
        f"the newest backup in {settings.backup_dir} can't be read within 63 s; see dmesg, and "
        "check its disk",
    )
    assert dump.is_over
    assert read == before
    looked_at(monkeypatch, lambda: GOOD)
    assert backup_conditions(settings, read, NOW)[0][0].is_over


def test_one_that_may_not_be_read_is_told_until_it_may(settings, monkeypatch):
    looked_at(monkeypatch, lambda: Check(CheckStatus.UNKNOWN, "closed"))
    (backup, _), read = backup_conditions(settings, None, NOW)
    assert backup.check == Check(CheckStatus.ERROR, "closed")
    looked_at(monkeypatch, lambda: GOOD)
    assert backup_conditions(settings, read, NOW)[0][0].is_over


def test_a_folder_whose_disk_fails_is_told(settings, monkeypatch):
    def fail(*_, **__):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(job.backups, "last_backup", fail)
    (backup, dump), _ = backup_conditions(settings, None, NOW)
    assert backup.check.detail == (
        f"the folder of backups {settings.backup_dir} fails: Input/output error; see dmesg, and "
        "check its disk"
    )
    assert not dump.holds
    assert not dump.is_over


def test_dumps_that_are_gone_with_all_backups_are_not_well(settings, monkeypatch):
    for path in settings.backup_dir.iterdir():
        path.unlink()
    settings.backup_dir.rmdir()
    (backup, dump), _ = backup_conditions(settings, None, NOW)
    assert backup.holds
    assert not dump.holds
    assert not dump.is_over
