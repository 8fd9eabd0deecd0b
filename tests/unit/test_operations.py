"""The runbook: its commands run in order, and it knows every error of the program."""

import os
import re
import shlex
import socket
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests import old_tree
from tests.appliance import Appliance, simulated_node
from tests.containers import without_containers
from tests.error_texts import HOLE, error_texts, letters

ROOT = Path(__file__).resolve().parents[2]
RUNBOOK = (ROOT / "docs" / "operations.md").read_text()

DATA = "/mnt/nvme/prod/apps/utxoracle/data"
MISHAPS = {
    "## Restore": f"cp {DATA}/utxoracle_snapshot.db /mnt/usb/first.db",
    "### The snapshot is gone or damaged": f"printf damage | dd of={DATA}/utxoracle_snapshot.db "
    "bs=1 seek=20000 conv=notrunc status=none; if utxoracle backup; then exit 9; fi",
    # What was published before must be good again.
    "### The database is damaged": "utxoracle backup; "
    f"head -c 5000 /dev/zero > {DATA}/utxoracle_cache.db",
    "### The data folder is gone": f"rm -r {DATA}",
    "### The disk is dead": "rm -r /mnt/nvme/*",
    "### The backups are gone as well": "rm -r /mnt/nvme/prod /mnt/usb/utxoracle/*; "
    f"mkdir -p {DATA}",
}
"""What happens before the first command of a chapter; at first a copy is made to compare with."""

ERRORS = error_texts()

ROW = re.compile(r"^\| (`.*?`) \|", re.MULTILINE)


def chapters(page: str) -> dict[str, str]:
    """Return the text below each heading, in order."""
    parts = re.split(r"^(##+ .*)\n", page, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def shell_blocks(text: str) -> list[str]:
    """Return the blocks that are to be run; those in lists are indented."""
    found = re.findall(r"^( *)```sh\n(.*?)^\1```$", text, re.MULTILINE | re.DOTALL)
    return [re.sub(f"^{indent}", "", block, flags=re.MULTILINE) for indent, block in found]


def script() -> str:
    """Return all blocks as one script, each named on stderr before it runs."""
    lines = ["set -eu -o pipefail"]
    for heading, text in {
        "# Operations": RUNBOOK.partition("\n## ")[0],
        **chapters(RUNBOOK),
    }.items():
        blocks = shell_blocks(text)
        if blocks and heading in MISHAPS:
            lines.append(MISHAPS[heading])
        for block in blocks:
            lines += [f"echo {shlex.quote(heading)} >&2", block]
    return "\n".join(lines)


@pytest.fixture
def machine(tmp_path):
    """A folder for each that the runbook names, and the program on PATH."""
    for name in ("etc", "mnt/nvme", "mnt/usb", "mnt/new", "bin"):
        (tmp_path / name).mkdir(parents=True)
    program = tmp_path / "bin" / "utxoracle"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m utxoracle "$@"\n')
    program.chmod(0o755)
    old_tree.apps(tmp_path / "mnt" / "old" / "prod" / "apps")
    return tmp_path


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def test_every_command_block_runs(machine):
    start = datetime.now(UTC).date() - timedelta(days=2)
    options = f"days=2,blocks_per_day=50,transactions=20,start={start}"
    with simulated_node(options) as node:
        stand_ins = {
            "9099": str(free_port()),
            # Only root could mount one.
            "MOUNT_POINT=/mnt/nvme": "MOUNT_POINT=none",
            # There is no such user.
            "-o utxoracle -g utxoracle": f"-o {os.getuid()} -g {os.getgid()}",
            "/mnt/": f"{machine}/mnt/",
            "/etc/utxoracle": f"{machine}/etc/utxoracle",
            "127.0.0.1:8999": node.url.removeprefix("http://"),
        }
        lines = script()
        for named, stand_in in stand_ins.items():
            lines = lines.replace(named, stand_in)
        done = subprocess.run(
            ["bash", "-c", lines],
            cwd=machine,
            env={
                "PATH": without_containers(machine / "bin"),
                "HOME": str(machine),
                # Where the program isn't installed with the interpreter.
                "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
                "TMPDIR": str(machine),
                "UTXORACLE_NETWORK": "regtest",
                "UTXORACLE_STALL_MINUTES": "1e9",
                "UTXORACLE_WORKERS": "1",
            },
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert "the signature is right" in done.stdout
    moved = Appliance(machine / "mnt/new/prod/apps/utxoracle/data", "")
    assert moved.chain_rows() == moved.chain_rows(machine / "mnt/usb/first.db")


def documented_errors() -> list[tuple[int, str]]:
    """Return the errors of the tables, each with the exit code that it stands under."""
    return [
        (int(code[1]), entry)
        for heading, text in chapters(RUNBOOK).items()
        if (code := re.match(r"### Exit code (\d+):", heading))
        for row in ROW.findall(text)
        for entry in re.findall(r"`(.*?)`(?:<br>|$)", row)
    ]


def fits(entry: str, text: str) -> bool:
    parts = map(re.escape, entry.split(HOLE))
    return bool(re.fullmatch(".*".join(parts), text))


@pytest.mark.parametrize("code", [2, 3, 4, 5])
def test_every_error_of_the_program_is_in_the_table(code):
    entries = [entry for at, entry in documented_errors() if at == code]
    missing = [
        f"{error.place}: {error.text}"
        for error in ERRORS
        if error.exit_code == code and not any(fits(entry, error.text) for entry in entries)
    ]
    assert not missing, "\n".join(missing)


@pytest.mark.parametrize("code", [2, 3, 4, 5])
def test_every_error_of_the_table_is_one_of_the_program(code):
    texts = [error.text for error in ERRORS if error.exit_code == code]
    for at, entry in documented_errors():
        assert at != code or any(fits(entry, text) for text in texts), entry


def test_no_entry_says_nothing():
    """Or it would stand for errors that it doesn't mean."""
    assert {code for code, _ in documented_errors()} == {error.exit_code for error in ERRORS}
    for _, entry in documented_errors():
        assert letters(entry) >= 8, entry


def test_every_row_has_a_cause():
    rows = re.findall(r"^\| `.*` \| (.*?) \| (.*?) ?\|$", RUNBOOK, re.MULTILINE)
    assert len(rows) > 90
    for cause, _ in rows:
        assert cause


def test_what_is_not_run_says_why():
    for heading, text in chapters(RUNBOOK).items():
        if "```console" in text:
            assert re.search(r"not\s+run\s+here,\s+since\s+it\s+needs", text, re.IGNORECASE), (
                heading
            )
