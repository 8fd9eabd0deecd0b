"""The tables, as the steps that led to them. A step that was published is never changed."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from utxoracle.errors import StorageError
from utxoracle.store.connection import Connection


@dataclass(frozen=True)
class Migration:
    """A step from one version of the schema to the next.

    Attributes:
        version: The version that it leads to.
        name: What it does.
        statements: SQL, run in one transaction together with the record of the step itself.
    """

    version: int
    name: str
    statements: tuple[str, ...]


MIGRATIONS = (
    Migration(
        1,
        "tables of the first version",
        (
            """CREATE TABLE schema_migrations (
                version INTEGER PRIMARY KEY, name TEXT, applied_at TIMESTAMP
            )""",
            "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT)",
            """CREATE TABLE blocks (
                height INTEGER PRIMARY KEY, hash TEXT, prev_hash TEXT, time TIMESTAMP,
                size INTEGER, tx_count INTEGER, candidates INTEGER, source TEXT
            )""",
            """CREATE TABLE window_prices (
                height INTEGER PRIMARY KEY, hash TEXT, time TIMESTAMP, price DOUBLE,
                rough_price INTEGER, deviation DOUBLE, tx_count INTEGER, outputs INTEGER,
                points INTEGER, confidence DOUBLE, is_valid BOOLEAN, invalid_reason TEXT,
                exchange_price DOUBLE, exchange_time TIMESTAMP, exchange_reason TEXT,
                diverges BOOLEAN, algorithm TEXT
            )""",
            """CREATE TABLE daily_prices (
                date DATE PRIMARY KEY, first_height INTEGER, last_height INTEGER, blocks INTEGER,
                price DOUBLE, rough_price INTEGER, deviation DOUBLE, tx_count INTEGER,
                outputs INTEGER, points INTEGER, confidence DOUBLE, is_valid BOOLEAN,
                invalid_reason TEXT, exchange_price DOUBLE, exchange_time TIMESTAMP,
                exchange_reason TEXT, diverges BOOLEAN, algorithm TEXT
            )""",
            "CREATE TABLE latest_points (height INTEGER, heights BLOB, prices BLOB)",
            """CREATE TABLE runs (
                started TIMESTAMP, finished TIMESTAMP, first_height INTEGER, last_height INTEGER,
                blocks INTEGER, source TEXT
            )""",
            """CREATE VIEW price_analysis AS SELECT
                date, exchange_price, price AS utxoracle_price,
                exchange_price - price AS price_difference,
                100 * (exchange_price - price) / price AS avg_pct_diff,
                confidence, tx_count, is_valid
            FROM daily_prices""",
        ),
    ),
    Migration(
        2,
        "prices of the hand-made predecessor",
        (
            # As they were found, in a table of their own: they were computed in another way.
            """CREATE TABLE predecessor_prices (
                date DATE, origin TEXT, exchange_price DECIMAL(12, 2),
                utxoracle_price DECIMAL(12, 2), price_difference DECIMAL(12, 2),
                avg_pct_diff DECIMAL(6, 2), confidence DECIMAL(5, 4), tx_count INTEGER,
                is_valid BOOLEAN, created_at TIMESTAMP, PRIMARY KEY (date, origin)
            )""",
        ),
    ),
)


def known_version() -> int:
    """Return the version of the schema that this program works with."""
    return MIGRATIONS[-1].version


def stored_version(connection: Connection) -> int:
    """Return the version of the schema that a database has.

    Raises:
        StorageError: It isn't one of ours, or is newer than this program.
    """
    version: int | None = connection.query("SELECT max(version) FROM schema_migrations")[0][0]
    if version is None:
        raise connection.not_ours("it records no version")
    if version > known_version():
        raise _too_new(connection.path, version)
    return version


def migrate(connection: Connection, version: int) -> None:
    """Bring a database from `version` to the newest, step by step.

    Each step raises the revision, so that what was published before is published anew.

    Raises:
        StorageError: A step failed. It left nothing behind, and is tried again the next time.
    """
    for migration in MIGRATIONS:
        if migration.version <= version:
            continue
        with connection.transaction():
            for statement in migration.statements:
                connection.query(statement)
            applied_at = datetime.now(UTC).replace(tzinfo=None)
            connection.query(
                "INSERT INTO schema_migrations VALUES (?, ?, ?)",
                [migration.version, migration.name, applied_at],
            )
            raise_revision(connection)


def raise_revision(connection: Connection) -> None:
    """Count one more change of what is stored."""
    connection.query(
        "UPDATE meta SET value = CAST(CAST(value AS BIGINT) + 1 AS TEXT) WHERE key = 'revision'"
    )


def _too_new(path: Path, version: int) -> StorageError:
    return StorageError(
        f"{path} was written by a newer utxoracle (schema {version}, this one knows "
        f"{known_version()}): use that version, or a newer one"
    )
