"""A database with years of rows, made up: what it holds below the newest blocks."""

import shutil

import duckdb

from utxoracle.sources.days import WINDOW
from utxoracle.store.folder import DataFolder

BLOCKS_PER_DAY = 144

# Hashes, prices and counts that compress as badly as real ones do.
_MACROS = """
CREATE TEMP MACRO block_hash(height) AS repeat('0', 20) || left(sha256(CAST(height AS TEXT)), 44);
CREATE TEMP MACRO block_time(height, first, start) AS
    start - to_seconds(600 * (first - height)) + to_seconds(CAST(hash(height) % 500 AS BIGINT));
"""

_FACTS = """
    CAST(price AS INTEGER), 0.02 * price * (1 + random()),
    CAST(90000 + 30000 * random() AS INTEGER), CAST(60000 + 20000 * random() AS INTEGER),
    CAST(30000 + 9000 * random() AS INTEGER), 0.6 + 0.3 * random(), true, NULL,
    round(price * (0.99 + 0.02 * random())),
"""

_OLDER_BLOCKS = """
INSERT INTO blocks
SELECT height, block_hash(height), block_hash(height - 1), block_time(height, $first, $start),
    CAST(1400000 + 400000 * random() AS INTEGER), CAST(2500 + 2000 * random() AS INTEGER),
    CAST(600 + 500 * random() AS INTEGER), $source
FROM range($first - $blocks, $first) AS older(height)
"""

_OLDER_WINDOWS = f"""
INSERT INTO window_prices
SELECT height, block_hash(height), time, price, {_FACTS}
    date_trunc('hour', time), NULL, false, 'v9.1'
FROM (
    SELECT height, block_time(height, $first, $start) AS time,
        60000 + 30000 * sin(height / 9000) + 500 * random() AS price
    FROM range($first - $blocks, $first + $window) AS older(height)
    WHERE $blocks > 0
)
"""

# The oldest real block is the child of one of these, and those above it have window prices too.
_SEAM = (
    """UPDATE blocks SET hash = (SELECT prev_hash FROM recent.blocks WHERE height = $first)
    WHERE height = $first - 1""",
    """UPDATE window_prices SET hash = blocks.hash FROM blocks
    WHERE window_prices.height = blocks.height AND blocks.height >= $first - 1""",
)

_OLDER_DAYS = f"""
INSERT INTO daily_prices
SELECT date, first_height, first_height + $per_day - 1, $per_day, price, {_FACTS}
    CAST(date AS TIMESTAMP), NULL, false, 'v9.1'
FROM (
    SELECT CAST($start AS DATE) - CAST(age AS INTEGER) AS date,
        $first - $per_day * age AS first_height, 60000 + 30000 * random() AS price
    FROM range($days, 0, -1) AS older(age)
)
"""

_OLDER_RUNS = """
INSERT INTO runs
SELECT time, time + to_seconds(random()), height, height, 1, $source
FROM (
    SELECT height, block_time(height, $first, $start) AS time
    FROM range($first - $blocks, $first) AS older(height)
)
"""


def copy_with_history(recent: DataFolder, folder: DataFolder, days: int) -> None:
    """Fill an empty data folder with the blocks of `recent`, and so many made-up days below them.

    The older rows come first, as if they had been stored first.
    """
    shutil.copytree(recent.scans, folder.scans, dirs_exist_ok=True)
    with duckdb.connect(str(folder.database)) as connection:
        connection.execute(f"ATTACH '{recent.database}' AS recent (READ_ONLY)")
        first, start, source = connection.execute(
            "SELECT height, time, source FROM recent.blocks ORDER BY height LIMIT 1"
        ).fetchone() or (0, None, "")
        facts = {
            "first": first,
            "start": start,
            "source": source,
            "days": days,
            "blocks": days * BLOCKS_PER_DAY,
            "per_day": BLOCKS_PER_DAY,
            "window": WINDOW,
        }
        connection.execute(_MACROS)
        for statement in (_OLDER_BLOCKS, _OLDER_WINDOWS, _OLDER_DAYS, _OLDER_RUNS):
            used = {name: value for name, value in facts.items() if f"${name}" in statement}
            connection.execute(statement, used)
        for table in ("blocks", "window_prices", "daily_prices", "latest_points", "runs"):
            connection.execute(f"INSERT INTO {table} SELECT * FROM recent.{table}")
        for statement in _SEAM:
            connection.execute(statement, {"first": first})
        connection.execute(
            "UPDATE meta SET value = (SELECT value FROM recent.meta WHERE key = 'revision') "
            "WHERE key = 'revision'"
        )
        connection.execute("DETACH recent")
        connection.execute("CHECKPOINT")
