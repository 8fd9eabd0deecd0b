import os
from dataclasses import replace

import pytest

from tests.conftest import NOBODY, another_user, ordinary_user
from utxoracle.jobs.checks import permissions
from utxoracle.jobs.health import CheckStatus
from utxoracle.settings import Settings
from utxoracle.store.backup_files import checksum_file

BACKUP = "backups/utxoracle_cache_2026-11-23.db"

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")


@pytest.fixture
def settings(folder):
    folder.path.chmod(0o750)
    return Settings(data_dir=folder.path)


def failed(check, *parts):
    assert check.status == CheckStatus.ERROR
    for part in parts:
        assert part in check.detail
    assert "\n" not in check.detail


def test_what_init_db_makes_is_right(settings):
    assert permissions.stored(settings).status == CheckStatus.OK


@as_root
def test_files_of_another_user_than_the_folders_fail(folder, settings):
    scan = folder.scans / "1.npz"
    for path in (folder.lock, folder.database, scan):
        path.touch()
        os.chown(path, NOBODY, -1)
    told = permissions.stored(settings)
    failed(told, f" belongs to user nobody, its folder to root: chown root {folder.path}", "2 more")


@as_root
def test_a_dump_of_mariadb_is_roots_wherever_it_lies(settings, tmp_path):
    backups = tmp_path / "usb"
    backups.mkdir()
    os.chown(backups, NOBODY, NOBODY)
    day = backups / "mempool_db_2026-11-23.sql.gz"
    for path in (day, checksum_file(day), backups / ".mempool_db.sql.gz.new"):
        path.touch(0o600)
    elsewhere = replace(settings, backup_dir=backups)
    assert permissions.stored(elsewhere).status == CheckStatus.OK
    os.chown(day, 54321, -1)
    failed(permissions.stored(elsewhere), f"{day} belongs to user 54321")


@as_root
def test_what_others_keep_on_the_disk_of_the_backups_is_not_judged(settings, tmp_path):
    disk = tmp_path / "usb"
    (disk / "lost+found").mkdir(parents=True, mode=0o700)
    (disk / "photos").mkdir()
    (disk / "photos").chmod(0o777)
    backup = disk / "utxoracle_cache_2026-11-23.db"
    ours = (backup, checksum_file(backup), disk / ".lock")
    for path in ours:
        path.touch(0o640)
    for path in (disk, *ours):
        os.chown(path, NOBODY, NOBODY)
    elsewhere = replace(settings, backup_dir=disk)
    assert permissions.stored(elsewhere).status == CheckStatus.OK
    for path in ours:
        os.chown(path, 0, -1)
        failed(permissions.stored(elsewhere), f"{path} belongs to user root")
        os.chown(path, NOBODY, -1)


@as_root
def test_an_owner_without_a_name_is_told_by_number(folder, settings):
    os.chown(folder.lock, 54321, -1)
    failed(permissions.stored(settings), f"{folder.lock} belongs to user 54321")


@pytest.mark.parametrize("name", ["", "scans", "utxoracle_cache.db", BACKUP])
def test_what_everybody_can_write_fails(folder, settings, name):
    path = folder.path / name
    path.parent.mkdir(exist_ok=True)
    path.touch()
    path.chmod(path.stat().st_mode | 0o002)
    failed(
        permissions.stored(settings), f"{path} can be written by every user", f"chmod o-w {path}"
    )


@pytest.mark.parametrize(("name", "mode"), [("", 0o700), ("utxoracle_snapshot.db", 0o600)])
def test_what_the_api_could_not_read_fails(folder, settings, name, mode):
    path = folder.path / name
    path.chmod(mode)
    failed(permissions.stored(settings), f"{path} can't be read by the group of", "chmod g+rX")


@pytest.mark.parametrize("name", ["", "scans", "backups", "utxoracle_cache.db", "lock"])
def test_what_its_owner_can_not_write_fails(folder, settings, name):
    (folder.path / "backups").mkdir(0o750)
    folder.lock.touch(0o640)
    assert permissions.stored(settings).status == CheckStatus.OK
    path = folder.path / name
    path.chmod(path.stat().st_mode & ~0o200)
    failed(permissions.stored(settings), f"{path} can't be written by its owner: chmod u+rwX")


def test_a_folder_in_the_place_of_the_lock_fails(folder, settings):
    folder.lock.unlink(missing_ok=True)
    folder.lock.mkdir(0o750)
    failed(permissions.stored(settings), f"{folder.lock} is a folder, and must be a file: move")


@as_root
def test_a_snapshot_of_another_group_fails(folder, settings):
    os.chown(folder.snapshot, -1, NOBODY)
    failed(permissions.stored(settings), f"{folder.snapshot} can't be read by the group of")


def test_a_link_is_as_good_as_its_owner(folder, settings):
    (folder.path / "link").symlink_to("nowhere")
    assert permissions.stored(settings).status == CheckStatus.OK


def test_a_folder_that_is_not_there_is_not_known(tmp_path):
    told = permissions.stored(Settings(data_dir=tmp_path / "data"))
    assert told.status == CheckStatus.UNKNOWN


@pytest.mark.parametrize("name", permissions.SECRETS)
def test_a_secret_that_everybody_can_read_fails(tmp_path, name):
    secret = tmp_path / "secret"
    secret.write_text("very secret")
    secret.chmod(0o644)
    settings = Settings(**{name: secret})
    told = permissions.secrets(settings)
    failed(told, f"{secret} (UTXORACLE_", "is open to every user", f"chmod o-rwx {secret}")
    assert "very secret" not in told.detail
    secret.chmod(0o640)
    assert permissions.secrets(settings).status == CheckStatus.OK
    secret.unlink()
    failed(permissions.secrets(settings), f"{secret} (UTXORACLE_", "is not there")


def test_without_secrets_none_is_open():
    assert permissions.secrets(Settings()).detail == "none are set"


def test_a_secret_in_a_closed_folder_can_not_be_judged(open_folder):
    closed = open_folder / "closed"
    closed.mkdir(0o700)
    with another_user():
        told = permissions.secrets(Settings(api_token_file=closed / "token"))
    assert told.status == CheckStatus.UNKNOWN
    assert "can't be looked at" in told.detail


@as_root
@pytest.mark.parametrize(
    ("name", "owner", "status"),
    [
        ("alert_secret_file", NOBODY, CheckStatus.ERROR),
        ("rpc_password_file", NOBODY, CheckStatus.ERROR),
        ("alert_secret_file", 0, CheckStatus.UNKNOWN),
        # Whoever the API runs as.
        ("api_token_file", NOBODY, CheckStatus.UNKNOWN),
    ],
)
def test_a_secret_that_the_services_can_not_open_fails(open_folder, name, owner, status):
    data, key = open_folder / "data", open_folder / "key"
    data.mkdir()
    os.chown(data, owner, -1)
    key.write_text("key")
    key.chmod(0o600)
    settings = Settings(data_dir=data, **{name: key})
    with ordinary_user():
        told = permissions.secrets(settings)
    assert told.status == status
    if status == CheckStatus.ERROR:
        failed(told, f"{key} (UTXORACLE_", "can't be read by user nobody", f"chown nobody {key}")
    os.chown(key, NOBODY, -1)
    with ordinary_user():
        assert permissions.secrets(settings).status == CheckStatus.OK


def test_a_secret_that_is_no_file_fails(tmp_path):
    file = tmp_path / "file"
    file.touch(0o600)
    for path, why in ((file / "below", "Not a directory"), (tmp_path, "Is a directory")):
        told = permissions.secrets(Settings(rpc_password_file=path))
        failed(told, f"{path} can't be looked at: {why}; see what it is: ls -ld {path}")


@as_root
def test_a_failure_hides_behind_nothing_that_is_not_known(open_folder, tmp_path):
    key, token = open_folder / "key", open_folder / "token"
    for path, mode in ((key, 0o600), (token, 0o644)):
        path.touch()
        path.chmod(mode)
    with ordinary_user():
        told = permissions.secrets(
            Settings(data_dir=open_folder, rpc_password_file=key, alert_secret_file=token)
        )
    failed(told, f"{token} (UTXORACLE_ALERT_SECRET_FILE) is open to every user")
