"""A real MariaDB, and a `podman` that runs commands as if they were in its container."""

import os
import shlex
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.conftest import NOBODY

CONTAINER = "mempool-db"
PASSWORD = "p&w!d \"of'the$mempool\\"
"""What a shell, sed and an option file would each take for something else."""

SECONDS = 60
MISSING = [name for name in ("mariadb-install-db", "mariadbd", "mariadb") if not shutil.which(name)]

# What podman 4.3 says, and how it ends, where there is no such container.
PODMAN = """#!/bin/sh
if [ "$1 $2" != "exec {container}" ]; then
  echo "Error: no container with name or ID \\"$2\\" found: no such container" >&2
  exit 125
fi
shift 2
. {folder}/container.env
{run} "$@"
"""

BULK = (
    "CREATE TABLE a (id INT PRIMARY KEY, filler TEXT); "
    "INSERT INTO a SELECT seq, SHA2(seq, 512) FROM seq_1_to_30000; "
    "CREATE TABLE z AS SELECT id FROM a"
)
"""More than a pipe holds, so that a dump can be halted in the midst of it."""


class MariaDB:
    """A server with a database `mempool`, and its container as far as `podman exec` shows it.

    Attributes:
        programs: Folder to be put first on PATH; it holds `podman`.
        inside: Folder that is first on PATH in the container.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.programs = folder / "programs"
        self.inside = folder / "inside"
        self._begun, self._go = folder / "begun", folder / "go"
        self._socket = folder / "socket"
        self._server: subprocess.Popen[bytes] | None = None
        for part in (self.programs, self.inside):
            part.mkdir()
        (folder / ".my.cnf").write_text(f"[client]\nsocket={self._socket}\n")
        self.contain()

    def contain(self, run: str = "exec", path: str = os.defpath, **environment: str) -> None:
        """Let the container be as said: its environment, its PATH, and how commands run in it."""
        given = {"MARIADB_USER": "mempool", "MARIADB_PASSWORD": PASSWORD} | environment
        given |= {"HOME": str(self.folder), "PATH": f"{self.inside}:{path}"}
        lines = [f"export {name}={shlex.quote(value)}\n" for name, value in given.items() if value]
        (self.folder / "container.env").write_text("".join(lines))
        self.install(
            self.programs / "podman",
            PODMAN.format(container=CONTAINER, folder=self.folder, run=run),
        )

    @staticmethod
    def install(path: Path, script: str) -> None:
        path.write_text(script)
        path.chmod(0o755)

    def start(self) -> None:
        command = ["mariadbd", "--no-defaults", f"--datadir={self.folder}/data"]
        command += [f"--socket={self._socket}", "--skip-networking", "--skip-log-error"]
        with (self.folder / "log").open("ab") as log:
            self._server = subprocess.Popen(command, stderr=log, **self._user())
        deadline = time.monotonic() + SECONDS
        while not self._socket.exists() or not self._answers():
            assert self._server.poll() is None, (self.folder / "log").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.02)

    def kill(self) -> None:
        if self._server:
            self._server.kill()
            self._server.wait(SECONDS)
            self._socket.unlink(missing_ok=True)

    def sql(self, statements: str, database: str = "mempool", password: str = "") -> str:
        """Run statements as root, and return the rows, tab-separated."""
        done = self._client(statements, database, password)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def install_data(self) -> None:
        command = ["mariadb-install-db", "--no-defaults", f"--datadir={self.folder}/data"]
        command += ["--auth-root-authentication-method=normal", "--skip-test-db"]
        subprocess.run(command, check=True, capture_output=True, timeout=SECONDS, **self._user())

    def _answers(self) -> bool:
        return self._client("SELECT 1", "mysql").returncode == 0

    def _client(
        self, statements: str, database: str, password: str = ""
    ) -> "subprocess.CompletedProcess[str]":
        command = ["mariadb", "--no-defaults", f"--socket={self._socket}", "--user=root"]
        command += ["--default-character-set=utf8mb4", "--batch", "--skip-column-names", database]
        return subprocess.run(
            command,
            input=statements,
            env=os.environ | {"MYSQL_PWD": password},
            text=True,
            errors="backslashreplace",
            capture_output=True,
            check=False,
            timeout=SECONDS,
        )

    def halt_dumps(self) -> None:
        """Let dumps stand still after 2 MB, until `meanwhile` is done."""
        for fifo in (self._begun, self._go):
            fifo.unlink(missing_ok=True)
            os.mkfifo(fifo)
        self.filter_dumps(f"(head -c 2000000; echo > {self._begun}; read line < {self._go}; cat)")

    def meanwhile(self, act: Callable[[], object]) -> None:
        """Wait until a dump stands still, act, and let it go on."""
        self._begun.read_text()
        act()
        self._go.write_text("\n")

    def filter_dumps(self, filter_command: str) -> None:
        """Let what commands in the container write go through another one."""
        self.contain(run=f"exec bash -c 'set -o pipefail; \"$@\" | {filter_command}' bash")

    @staticmethod
    def _user() -> dict[str, Any]:
        """Return whom the server runs as: it refuses to be root."""
        if os.geteuid() != 0:
            return {}
        return {"user": NOBODY, "group": NOBODY, "extra_groups": []}


@contextmanager
def mariadb() -> Iterator[MariaDB]:
    """Give a running server with an empty database `mempool` and the user of that name."""
    with tempfile.TemporaryDirectory(prefix="mariadb.") as name:
        folder = Path(name)
        if os.geteuid() == 0:
            os.chown(folder, NOBODY, NOBODY)
        server = MariaDB(folder)
        server.install_data()
        server.start()
        try:
            server.sql(
                "CREATE DATABASE mempool; CREATE USER mempool@localhost IDENTIFIED BY "
                f"{sql_text(PASSWORD)}; GRANT ALL ON mempool.* TO mempool@localhost;",
                "mysql",
            )
            yield server
        finally:
            server.kill()


def sql_text(text: str) -> str:
    """Return a string as SQL writes it."""
    escaped = text.replace("\\", "\\\\").replace("'", "''")
    return f"'{escaped}'"
