"""The command `utxoracle` as people get it, with a program behind it that tells how it was run."""

import os
import shutil
import subprocess

import pytest

from tests.nix.scripts import script

USER = "nobody"
ENV = "/etc/utxoracle/utxoracle.env"


@pytest.fixture
def command(open_folder):
    program = open_folder / "program"
    program.write_text(
        '#!/bin/sh\necho "$(id -un) ${UTXORACLE_SOURCE-none} ${STATE_DIRECTORY-none} $*"\n'
    )
    settings = open_folder / "utxoracle.env"
    settings.write_text("UTXORACLE_SOURCE='mempool+http://a bitcoind+http://b'\n")
    sudo = open_folder / "sudo"
    sudo.write_text('#!/bin/sh\necho "sudo $2"\n')
    for path in (program, sudo):
        path.chmod(0o755)
    words = {
        "@utxoracle@/bin/utxoracle": str(program),
        ENV: str(settings),
        "/run/wrappers/bin/sudo": str(sudo),
        "!= utxoracle ]; then\n  if [": f"!= {USER} ]; then\n  if [",
        "--reuid=utxoracle --regid=utxoracle": f"--reuid={USER} --regid=nogroup",
    }
    made = script("bin/utxoracle", open_folder, **words)
    made.write_text("#!/bin/bash\nset -euo pipefail\n" + made.read_text())
    return made


def run(command, *args, user=None):
    become = ["setpriv", f"--reuid={user}", "--clear-groups"] if user else []
    done = subprocess.run(
        [*become, str(command), *args],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        cwd="/",
    )
    assert done.stderr == ""
    return done.stdout.strip()


needs_root = pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("setpriv"),
    reason="who may run the command is not tried: only root can become others",
)
SETTINGS = "mempool+http://a bitcoind+http://b"


@needs_root
@pytest.mark.parametrize("name", ["status", "analyze", "backup", "restore", "export", "init-db"])
def test_root_becomes_the_owner_of_the_prices(command, name):
    assert run(command, name, "-x y") == f"{USER} {SETTINGS} /var/lib/utxoracle {name} -x y"


@needs_root
@pytest.mark.parametrize("name", ["doctor", "migrate", "backup-mempool-db"])
def test_root_stays_root_where_that_is_needed(command, name):
    assert run(command, name) == f"root {SETTINGS} /var/lib/utxoracle {name}"


@needs_root
def test_the_owner_needs_no_rights(command):
    assert run(command, "status", user=USER) == f"{USER} {SETTINGS} /var/lib/utxoracle status"


@needs_root
def test_others_are_asked_for_their_rights(command):
    assert run(command, "status", user="daemon") == f"sudo {command}"


@needs_root
@pytest.mark.parametrize("name", ["price", "plot", "simulate"])
def test_what_writes_nothing_of_ours_needs_no_rights(command, name):
    assert run(command, name, user="daemon") == f"daemon {SETTINGS} /var/lib/utxoracle {name}"


@needs_root
def test_who_may_not_read_the_password_asks_the_sources_that_need_none(command, open_folder):
    password = open_folder / "rpc-password"
    password.write_text("hunter2")
    with (open_folder / "utxoracle.env").open("a") as file:
        file.write(f"UTXORACLE_RPC_PASSWORD_FILE={password}\n")
    password.chmod(0o600)
    assert run(command, "price", user="daemon").startswith("daemon mempool+http://a /var")
    password.chmod(0o644)
    assert run(command, "price", user="daemon").startswith(f"daemon {SETTINGS} /var")


@needs_root
def test_without_sudo_it_is_said_who_may(command, open_folder):
    (open_folder / "sudo").chmod(0o644)
    done = subprocess.run(
        ["setpriv", "--reuid=daemon", "--clear-groups", str(command), "status"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        cwd="/",
    )
    assert done.returncode == 1
    assert done.stderr.startswith("utxoracle: status is for root and the user utxoracle: ")


@needs_root
@pytest.mark.parametrize("args", [(), ("--help",), ("--version",), ("demo",)])
def test_what_minds_no_settings_is_told_none(command, args):
    assert run(command, *args, user="daemon") == " ".join(["daemon none none", *args]).strip()
