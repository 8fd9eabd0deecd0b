"""The dump that MariaDB gives of a database in its container, packed while it comes."""

import gzip
import hashlib
import os
import subprocess
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import IO, BinaryIO, cast

from utxoracle.errors import DataError, SourceError, StorageError
from utxoracle.jobs.report import size
from utxoracle.sources.answers import printable

# Run by `sh -c` in the container. The password is in no list of processes: it comes from the
# environment or the file that the image takes it from, and goes to the client by the environment.
_SCRIPT = """set -e
setting() {
  for name in "MARIADB_$1" "MYSQL_$1"; do
    eval "text=\\${$name-} file=\\${${name}_FILE-}"
    if [ "$text" ]; then printf %s "$text"; return; fi
    if [ "$file" ]; then cat "$file"; return; fi
  done
}
user=$(setting USER)
if [ "$user" ]; then MYSQL_PWD=$(setting PASSWORD)
else user=root; MYSQL_PWD=$(setting ROOT_PASSWORD); fi
export MYSQL_PWD
for program in mariadb-dump mysqldump; do
  if command -v $program >/dev/null; then
    exec $program --user="$user" --single-transaction --quick --hex-blob --no-tablespaces \\
      --default-character-set=utf8mb4 -- "$1"
  fi
done
echo 'there is neither mariadb-dump nor mysqldump in it' >&2
exit 127
"""

_CHUNK = 1 << 20
_COMPRESSION = 6
_GZIP = zlib.MAX_WBITS | 16
"""What zlib takes for gzip's format."""

_TABLE = b"\nCREATE TABLE "
_LAST_LINE = b"\n-- Dump completed"
_LONGEST_LAST_LINE = 100
_LONGEST_REASON = 200


@dataclass(frozen=True)
class Content:
    """What a dump holds: the number of bytes of SQL, and their SHA-256."""

    size: int
    sha256: str


def dump(container: str, database: str, file: BinaryIO, progress: Callable[[int], None]) -> Content:
    """Write the dump of a database to `file`, packed, and return what it holds.

    Args:
        container: Name of the container, which runs.
        database: Name of the database.
        file: Where the packed SQL goes.
        progress: Told how many bytes of SQL have come.

    Raises:
        SourceError: podman or MariaDB gave no dump, or not all of it.
        DataError: The database holds no table.
        OSError: `file` can't be written.
    """
    digest = hashlib.sha256()
    count, holds_table, end = 0, False, b""
    # Not a pipe, which would stop the dump when it is full; nor a file on a disk that is.
    with os.fdopen(os.memfd_create("complaints"), "w+b") as complaints:
        with _running(container, database, complaints) as (process, output):
            # Not a GzipFile, which complains on stderr when it is thrown away after a full disk.
            packer = zlib.compressobj(_COMPRESSION, zlib.DEFLATED, _GZIP)
            while chunk := output.read1(_CHUNK):
                file.write(packer.compress(chunk))
                digest.update(chunk)
                count += len(chunk)
                progress(count)
                seen = end + chunk
                holds_table = holds_table or _TABLE in seen
                end = seen[-_LONGEST_LAST_LINE:]
            file.write(packer.flush())
        if process.returncode or _LAST_LINE not in end:
            raise SourceError(
                f"no whole dump of database {database} came from container {container} "
                f"({size(count)}, exit code {process.returncode}: {_reason(complaints)}): is it "
                "running, and is this its owner, mostly root? see podman ps and podman logs"
            )
    if not holds_table:
        raise DataError(
            f"database {database} in container {container} holds no table, so nothing was kept: "
            "choose it by --database, or see podman logs"
        )
    return Content(count, digest.hexdigest())


def content_of(path: Path) -> Content:
    """Unpack the dump in a file, and return what it holds.

    Raises:
        StorageError: It can't be read or unpacked.
    """
    digest = hashlib.sha256()
    count = 0
    try:
        with gzip.open(path) as packed:
            while chunk := packed.read(_CHUNK):
                digest.update(chunk)
                count += len(chunk)
    except (OSError, EOFError, zlib.error) as error:
        raise StorageError(f"{path} can't be unpacked: {error}; see dmesg for its disk") from None
    return Content(count, digest.hexdigest())


@contextmanager
def _running(
    container: str, database: str, complaints: IO[bytes]
) -> Iterator[tuple["subprocess.Popen[bytes]", BufferedReader]]:
    """Give the running dump and what it writes; it has ended when the block is left."""
    command = ["podman", "exec", container, "sh", "-c", _SCRIPT, "sh", database]
    try:
        process = subprocess.Popen(  # noqa: S603
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=complaints
        )
    except OSError as error:
        raise SourceError(
            f"can't run podman, which runs container {container}: {error.strerror}; run this "
            "where podman is on PATH"
        ) from None
    with process:
        try:
            yield process, cast(BufferedReader, process.stdout)
        except BaseException:
            process.kill()
            raise


def _reason(complaints: IO[bytes]) -> str:
    """Return the last line that the program left on stderr."""
    complaints.seek(0)
    lines = complaints.read().decode("utf-8", "replace").strip().splitlines()
    return printable(lines[-1])[:_LONGEST_REASON] if lines else "without a reason"
