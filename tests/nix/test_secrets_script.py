"""The script of the secrets unit, on folders of the test's."""

import hmac
import os
import re
import stat

import pytest

from tests.nix.scripts import BASE, run, script

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0, reason="the secrets script is not run: only root gives files to others"
)

OWNER = 65000
NODE = "/etc/secrets/bitcoin-rpc-password"


class Secrets:
    def __init__(self, folder):
        self.folder = folder
        self.base, self.run = folder / "apps", folder / "run"
        self.kept = self.base / "mempool/config/secrets"
        self.node = folder / "node-password"
        for path in (self.kept, self.run, self.base / "mempool/data/mysql"):
            path.mkdir(parents=True)
        self.node.write_text("hunter-2_X\n")

    def start(self, case="minimal"):
        words = {
            BASE: str(self.base),
            NODE: str(self.node),
            "rpc-password utxoracle": f"rpc-password {OWNER}",
        }
        path = script("scripts/utxoracle-secrets-start", self.folder, case=case, **words)
        return run(path, RUNTIME_DIRECTORY=str(self.run))

    def handed(self):
        found = {}
        for path in sorted(self.run.rglob("*")):
            if path.is_file():
                status = path.stat()
                name = str(path.relative_to(self.run))
                found[name] = (status.st_uid, oct(stat.S_IMODE(status.st_mode)), path.read_text())
        return found


@pytest.fixture
def secrets(tmp_path):
    return Secrets(tmp_path)


def refusal(done):
    assert done.returncode == 1
    assert "hunter" not in done.stdout + done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith("utxoracle-secrets: ")
    return line.removeprefix("utxoracle-secrets: ")


def test_each_reader_gets_a_file_of_its_own(secrets):
    done = secrets.start()
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    db, root = ((secrets.kept / name).read_text() for name in ("db-password", "db-root-password"))
    assert re.fullmatch("[0-9a-f]{48}", db) and re.fullmatch("[0-9a-f]{48}", root) and db != root
    assert {path.name: oct(path.stat().st_mode)[-3:] for path in secrets.kept.iterdir()} == {
        "db-password": "600",
        "db-root-password": "600",
    }
    assert secrets.handed() == {
        "backend.env": (0, "0o600", f"DATABASE_PASSWORD={db}\nCORE_RPC_PASSWORD=hunter-2_X\n"),
        "db.env": (0, "0o600", f"MARIADB_PASSWORD={db}\nMARIADB_ROOT_PASSWORD={root}\n"),
        "electrs/.cookie": (393, "0o600", "mempool:hunter-2_X"),
        "rpc-password": (OWNER, "0o600", "hunter-2_X"),
    }


def test_passwords_are_made_once(secrets):
    secrets.start()
    kept, handed = (secrets.kept / "db-password").read_text(), secrets.handed()
    secrets.start()
    assert (secrets.kept / "db-password").read_text() == kept
    assert secrets.handed() == handed


def test_a_password_that_was_cut_off_while_it_was_made_is_made_anew(secrets):
    (secrets.kept / "db-password.new").write_text("12")
    assert secrets.start().returncode == 0
    assert len((secrets.kept / "db-password").read_text()) == 48
    assert not (secrets.kept / "db-password.new").exists()


def test_no_new_password_is_made_for_a_database_that_has_one(secrets):
    (secrets.base / "mempool/data/mysql/mysql").mkdir()
    assert "restore that file" in refusal(secrets.start())
    assert not (secrets.kept / "db-password").exists()


@pytest.mark.parametrize(
    ("password", "reason"),
    [
        ("", "is empty: write the password to it"),
        ("hunter&2", "may have letters, digits, - and _ only"),
        ("hunter 2", "may have letters, digits, - and _ only"),
        ("hunter\n2", "may have letters, digits, - and _ only"),
    ],
)
def test_a_password_that_the_back_end_could_not_take_is_refused(secrets, password, reason):
    secrets.node.write_text(password)
    assert reason in refusal(secrets.start())
    assert secrets.handed() == {}


def test_a_password_file_that_is_not_there_is_named(secrets):
    secrets.node.unlink()
    assert refusal(secrets.start()) == (
        f"there is no file {secrets.node}: write the password to it"
    )


def test_a_node_of_our_own_is_told_a_hash_alone(secrets):
    done = secrets.start("local-bitcoind")
    assert done.returncode == 0, done.stderr
    password = (secrets.kept / "bitcoin-rpc-password").read_text()
    uid, mode, line = secrets.handed()["bitcoind.conf"]
    assert (uid, mode) == (394, "0o600")
    user, salt, digest = re.fullmatch(
        r"rpcauth=(\w+):([0-9a-f]{32})\$([0-9a-f]{64})\n", line
    ).groups()
    assert user == "utxoracle"
    # As bitcoind computes it (share/rpcauth/rpcauth.py of Bitcoin Core).
    assert digest == hmac.new(salt.encode(), password.encode(), "sha256").hexdigest()
    assert password not in line


def test_nothing_half_written_is_handed_out(secrets):
    secrets.start()
    assert not [*secrets.run.rglob("*.new")]
