"""Trees like those that were made by hand before this program: a compose stack, and a price job."""

import os
from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import duckdb

MB = 1 << 20

COLUMNS = """date DATE PRIMARY KEY, exchange_price DECIMAL(12, 2), utxoracle_price DECIMAL(12, 2),
    price_difference DECIMAL(12, 2), avg_pct_diff DECIMAL(6, 2), confidence DECIMAL(5, 4),
    tx_count INTEGER, is_valid BOOLEAN DEFAULT TRUE"""
"""The table of prices as its first script made it; other scripts made others."""

FIRST_DAY = date(2025, 11, 1)

PASSWORD = "hunter2-is-secret"
RPC_PASSWORD = "s3cr3t&rpc!"
WEBHOOK = "https://hooks.example.com/T0KEN"
SECRETS = (PASSWORD, RPC_PASSWORD, WEBHOOK)
"""What must be shown nowhere."""

ENV_FILE = f"""\
# Database
DUCKDB_PATH=/mnt/nvme/prod/apps/utxoracle/data/utxoracle_cache.db
DUCKDB_BACKUP_PATH=/tmp/utxoracle_backup.duckdb
UTXORACLE_DATA_DIR=/mnt/nvme/prod/apps/utxoracle/data
BITCOIN_DATADIR=/mnt/hdd/Bitcoin
MEMPOOL_API_URL=http://localhost:8999
UTXORACLE_CONFIDENCE_THRESHOLD=0.4
MIN_PRICE_USD=20000
LOG_LEVEL=INFO
ALERT_WEBHOOK_URL={WEBHOOK}
FASTAPI_HOST=0.0.0.0
FASTAPI_PORT=8000
"""

COMPOSE_ENV_FILE = f"""\
CORE_RPC_HOST=192.168.1.111
CORE_RPC_PORT=8332
CORE_RPC_USERNAME=bitcoinrpc
CORE_RPC_PASSWORD='{RPC_PASSWORD}'
MYSQL_HOST=mempool-db
MYSQL_PASSWORD={PASSWORD}
MEMPOOL_BACKEND_HTTP_HOST=0.0.0.0
ELECTRS_DB_CACHE_MB=4096
"""

COMPOSE = """\
services:
  api:
    image: mempool/backend:latest
    environment:
      MEMPOOL_BACKEND: "esplora"
      ESPLORA_REST_API_URL: "http://192.168.1.111:3001"
      DATABASE_ENABLED: "true"
      CORE_RPC_PASSWORD: ${CORE_RPC_PASSWORD}
  db:
    image: mariadb:10.5.21
    environment:
      MYSQL_DATABASE: mempool
      MYSQL_USER: mempool
      MYSQL_PASSWORD: ${MYSQL_PASSWORD}
    volumes:
      - ./data/mysql:/var/lib/mysql
"""


def write(path: Path, content: str | bytes) -> Path:
    """Write a file and the folders that it is in."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def write_sparse(path: Path, size: int, *, data: bytes = b"data") -> Path:
    """Write a file of `size` bytes that is one hole, but for some bytes at its start and end."""
    write(path, data)
    with path.open("r+b") as file:
        file.truncate(size)
        file.seek(size - len(data))
        file.write(data)
    return path


def mysql_folder(path: Path, *, size: int = MB) -> Path:
    """Make the data folder of a MariaDB with the database mempool; `size` bytes, mostly holes."""
    write_sparse(path / "ibdata1", size)
    write(path / "ib_logfile0", bytes(64 << 10))
    write(path / "aria_log_control", b"\xfe\xfe\xc3")
    write(path / "mysql" / "db.MAD", b"system tables")
    write(path / "mempool" / "db.opt", "default-character-set=utf8mb4\n")
    write(path / "mempool" / "blocks.ibd", os.urandom(200_000))
    return path


def electrs_folder(path: Path, *, files: int = 5, size: int = 100_000) -> Path:
    """Make an index of mempool's electrs: one RocksDB for each of three indexes."""
    for index in ("txstore", "history", "cache"):
        folder = path / "mainnet" / "newindex" / index
        write(folder / "CURRENT", "MANIFEST-000004\n")
        write(folder / "MANIFEST-000004", os.urandom(100))
        write(folder / "LOCK", b"")
        for number in range(files):
            write(folder / f"{number:06}.sst", os.urandom(size))
    return path


def cache_folder(path: Path) -> Path:
    """Make the cache of a mempool back end."""
    write(path / "cache.json", '{"networkHash": "00"}')
    write(path / "rbfcache.json", "{}")
    return path


def price_rows(days: int = 3, first: date = FIRST_DAY) -> list[tuple[object, ...]]:
    """Return rows as the old script stored them; the exchange price of every third is missing."""
    rows: list[tuple[object, ...]] = []
    for number in range(days):
        price = Decimal("109876.54") + number
        exchange = None if number % 3 == 2 else price + Decimal("12.25")
        gap = None if exchange is None else exchange - price
        share = None if gap is None else Decimal("0.01")
        day = first + timedelta(days=number)
        rows.append((day, exchange, price, gap, share, Decimal("0.8712"), 1234 + number, True))
    return rows


def price_database(
    path: Path, rows: Sequence[tuple[object, ...]] | None = None, *, columns: str = COLUMNS
) -> Path:
    """Make a database of the old script with the table `price_analysis`, closed properly.

    Args:
        path: The file; its folder is made.
        rows: Values in the order of `columns`; three days when not given.
        columns: What the table is made of.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with duckdb.connect(
        str(path), config={"storage_compatibility_version": "v1.0.0"}
    ) as connection:
        connection.execute(f"CREATE TABLE price_analysis ({columns})")
        for row in price_rows() if rows is None else rows:
            marks = ", ".join("?" * len(row))
            connection.execute(f"INSERT INTO price_analysis VALUES ({marks})", list(row))
    return path


def stack(path: Path, *, data: str = "data", mysql_size: int = MB) -> Path:
    """Make a compose stack as the old setup script left it: data/{mysql,electrs,cache} and logs."""
    write(path / "docker-compose.yml", COMPOSE)
    write(path / ".env", COMPOSE_ENV_FILE)
    mysql_folder(path / data / "mysql", size=mysql_size)
    electrs_folder(path / data / "electrs")
    cache_folder(path / data / "cache")
    write(path / "logs" / "setup.log", "started\n")
    (path / "config").mkdir()
    return path


def checkout(path: Path) -> Path:
    """Make a checkout of mempool whose own compose file was used: docker/mysql/data and others."""
    write(path / "backend" / "package.json", "{}")
    docker = path / "docker"
    write(docker / "docker-compose.yml", COMPOSE)
    write(docker / ".env", COMPOSE_ENV_FILE)
    write(docker / "backend" / "Dockerfile", "FROM node\n")
    mysql_folder(docker / "mysql" / "data")
    electrs_folder(docker / "electrs" / "db")
    cache_folder(docker / "data")
    return docker


def price_job(path: Path) -> Path:
    """Make the folder of the old price job: a database, its backups, logs and settings."""
    price_database(path / "data" / "utxoracle_cache.db", price_rows(5))
    for number in range(2):
        day = FIRST_DAY + timedelta(days=number + 1)
        price_database(
            path / "data" / "backups" / f"utxoracle_cache_{day}.db", price_rows(number + 1)
        )
    write(path / "logs" / "cron.log", "started\n")
    write(path / ".env", ENV_FILE)
    return path


def apps(root: Path, *, name: str = "mempool-stack", mysql_size: int = MB) -> Path:
    """Make the whole of it: a stack and the price job side by side, as in …/prod/apps."""
    stack(root / name, mysql_size=mysql_size)
    price_job(root / "utxoracle")
    return root


def content_of(folder: Path) -> dict[str, object]:
    """Return everything below a folder: bytes, link targets, modes, owners and times."""
    found: dict[str, object] = {}
    for path in sorted(folder.rglob("*")):
        state = path.lstat()
        what: object = None
        if path.is_symlink():
            what = str(path.readlink())
        elif path.is_file():
            what = path.read_bytes()
        facts = (what, oct(state.st_mode), state.st_uid, state.st_gid, state.st_mtime_ns)
        found[str(path.relative_to(folder))] = facts
    return found
