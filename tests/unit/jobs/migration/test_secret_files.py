import os

import pytest

from tests.conftest import another_user
from utxoracle.errors import StorageError
from utxoracle.jobs.migration.secret_files import Secret, write_secrets

PASSWORD = b"hunter2"
SECRETS = [Secret("db-password", PASSWORD), Secret("alert-url", b"https://example.com")]


def mode(path):
    return path.stat().st_mode & 0o777


def refusal(base, secrets=SECRETS):
    with pytest.raises(StorageError) as caught:
        write_secrets(base, secrets, [])
    assert "\n" not in str(caught.value)
    assert PASSWORD.decode() not in str(caught.value)
    return str(caught.value)


def test_files_are_written_for_their_owner_alone(tmp_path):
    folder = tmp_path / "mempool" / "config" / "secrets"
    remarks = []
    made = write_secrets(tmp_path, SECRETS, remarks)
    assert (made, remarks) == ([folder / "db-password", folder / "alert-url"], [])
    assert (folder / "db-password").read_bytes() == PASSWORD
    assert mode(folder) == 0o700
    assert {path.name: mode(path) for path in folder.iterdir()} == {
        "db-password": 0o600, "alert-url": 0o600,
    }  # fmt: skip


def test_writing_again_changes_nothing_but_takes_rights_from_others(tmp_path):
    folder = tmp_path / "mempool" / "config" / "secrets"
    write_secrets(tmp_path, SECRETS, [])
    folder.chmod(0o755)
    (folder / "db-password").chmod(0o644)
    before = (folder / "db-password").stat().st_mtime_ns
    remarks = []
    assert write_secrets(tmp_path, SECRETS, remarks) == remarks == []
    assert (mode(folder), mode(folder / "db-password")) == (0o700, 0o600)
    assert (folder / "db-password").stat().st_mtime_ns == before


def test_another_password_is_kept_and_told_and_the_others_are_written(tmp_path):
    folder = tmp_path / "mempool" / "config" / "secrets"
    folder.mkdir(parents=True)
    (folder / "alert-url").write_bytes(b"another")
    (folder / "alert-url").chmod(0o640)
    remarks = []
    assert write_secrets(tmp_path, SECRETS, remarks) == [folder / "db-password"]
    assert remarks == [
        f"{folder / 'alert-url'} differs from the old setting, and is kept: compare them"
    ]
    assert mode(folder / "alert-url") == 0o640
    assert (folder / "alert-url").read_bytes() == b"another"


@pytest.mark.parametrize("target", ["elsewhere", "nowhere"])
def test_a_link_is_not_followed(tmp_path, target):
    folder = tmp_path / "mempool" / "config" / "secrets"
    folder.mkdir(parents=True)
    (tmp_path / "elsewhere").write_bytes(PASSWORD)
    (tmp_path / "elsewhere").chmod(0o644)
    (folder / "db-password").symlink_to(tmp_path / target)
    remarks = []
    assert write_secrets(tmp_path, SECRETS, remarks) == [folder / "alert-url"]
    assert remarks[0].startswith(f"{folder / 'db-password'} differs from the old setting")
    assert mode(tmp_path / "elsewhere") == 0o644
    assert not (tmp_path / "nowhere").exists()


def test_a_link_in_the_place_of_the_folder_is_not_followed(tmp_path):
    (tmp_path / "elsewhere").mkdir(0o755)
    (tmp_path / "mempool" / "config").mkdir(parents=True)
    (tmp_path / "mempool" / "config" / "secrets").symlink_to(tmp_path / "elsewhere")
    assert "is a link" in refusal(tmp_path)
    assert mode(tmp_path / "elsewhere") == 0o755
    assert [*(tmp_path / "elsewhere").iterdir()] == []


@pytest.mark.parametrize("part", ["mempool", "mempool/config"])
def test_a_link_above_the_folder_is_not_followed(tmp_path, part):
    (tmp_path / "elsewhere").mkdir(0o755)
    (tmp_path / part).parent.mkdir(exist_ok=True)
    (tmp_path / part).symlink_to(tmp_path / "elsewhere")
    assert refusal(tmp_path) == f"{tmp_path / part} is a link: put a folder in its place"
    assert [*(tmp_path / "elsewhere").iterdir()] == []


def test_a_pipe_in_the_place_of_a_password_is_left_as_it_is(tmp_path):
    folder = tmp_path / "mempool" / "config" / "secrets"
    folder.mkdir(parents=True)
    os.mkfifo(folder / "db-password")
    remarks = []
    assert write_secrets(tmp_path, SECRETS, remarks) == [folder / "alert-url"]
    assert remarks[0].startswith(f"{folder / 'db-password'} differs from the old setting")


def test_no_secrets_make_no_folder(tmp_path):
    assert write_secrets(tmp_path, [], []) == []
    assert not (tmp_path / "mempool").exists()


def test_a_folder_that_can_not_be_written_is_one_line(open_folder):
    with another_user():
        assert "Permission denied" in refusal(open_folder)


def test_a_file_in_the_place_of_the_folder_is_one_line(tmp_path):
    (tmp_path / "mempool").touch()
    assert str(tmp_path / "mempool") in refusal(tmp_path)


def test_a_secret_does_not_show_itself():
    assert PASSWORD.decode() not in f"{SECRETS[0]!r} {SECRETS[0]}"
