"""Where everything is once it is taken over, below one base folder."""

from collections.abc import Mapping
from pathlib import Path

from utxoracle.jobs.migration.kinds import Kind
from utxoracle.jobs.migration.old_rows import read_old_rows
from utxoracle.jobs.migration.secret_files import FOLDER as SECRETS
from utxoracle.store.folder import DataFolder

USER = "utxoracle"
"""Who the services run as, and their data belongs to."""

DATA = Path("utxoracle/data")
"""Our data folder."""

PREDECESSOR = DATA / "predecessor"
"""The predecessor's databases, as they were found."""

OWNERS: Mapping[Kind, tuple[int, str | None]] = {
    Kind.MYSQL: (392, "mempool.db.uid"),
    Kind.ELECTRS: (393, "mempool.electrs.uid"),
    Kind.CACHE: (1000, None),
}
"""The user whose data it has to be, and the option of services.utxoracle that names another.

The images of mempool can be of no other user than theirs.
"""

JOURNAL = Path("utxoracle/config/migration.json")
"""What was copied."""

TARGETS: Mapping[Kind, Path] = {
    Kind.DATABASE: PREDECESSOR,
    Kind.MYSQL: Path("mempool/data/mysql"),
    Kind.ELECTRS: Path("mempool/data/electrs"),
    Kind.BITCOIN: Path("mempool/data/bitcoin"),
    Kind.CACHE: Path("mempool/data/cache"),
    Kind.STACK_LOGS: Path("mempool/logs/predecessor"),
    Kind.LOGS: Path("utxoracle/logs/predecessor"),
}
"""Where each kind of data goes."""


def ours(base: Path) -> tuple[Path, ...]:
    """Return what in `base` is not of the old tree, which may be in the same place.

    Raises:
        OSError: This user may not look there.
        StorageError: A process has the database there open for writing, or it can't be read.
    """
    folder = DataFolder(base / DATA)
    data = folder.path if _is_ours(folder) else base / PREDECESSOR
    return data, base / SECRETS, base / JOURNAL


def _is_ours(folder: DataFolder) -> bool:
    # The predecessor's database may be where ours will be; but it never made a snapshot.
    if folder.snapshot.exists():
        return True
    # A snapshot may be gone.
    return folder.database.exists() and read_old_rows(folder.database, "").is_ours
