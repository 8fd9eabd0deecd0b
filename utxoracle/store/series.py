"""Series of prices for who draws or downloads them: every value is text that can be written out.

DuckDB writes numbers as text several times as fast as Python, and as exactly: the shortest text
that is read back as the same number.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from utxoracle.sources.days import DAY, FIRST_V91_DAY

BY_BLOCK, BY_HOUR, BY_DAY = INTERVALS = ("block", "hour", "day")
"""How far apart the prices of a series are: every one, or one for each UTC hour or day."""

TextRow = tuple[str | None, ...]
"""A row of a series: numbers as JSON has them, true and false, RFC 3339; None for no value."""

_HOUR = 3600
_SECONDS = {BY_HOUR: _HOUR, BY_DAY: DAY}


@dataclass(frozen=True)
class Column:
    """A column of a series.

    Attributes:
        name: Its name for readers.
        sql: What it is made from.
        is_text: Whether its values are text, which JSON has in quotes.
    """

    name: str
    sql: str
    is_text: bool = False


@dataclass(frozen=True)
class Extent:
    """What is stored of a range of time.

    Attributes:
        prices: Number of its window prices.
        first: Time of the earliest one; None without any, as below.
        last: Time of the latest one.
    """

    prices: int
    first: int | None
    last: int | None

    def most_rows(self, interval: str) -> int:
        """Return how many rows a series has at the most."""
        if self.first is None or self.last is None or interval == BY_BLOCK:
            return self.prices
        apart = _SECONDS[interval]
        return min(self.prices, self.last // apart - self.first // apart + 1)


@dataclass(frozen=True)
class Differences:
    """How far exchange prices are above on-chain prices: in USD, and in percent of the latter.

    None where there is nothing to tell it from.

    Attributes:
        total_entries: Number of window prices.
        valid_entries: How many of them are valid and have an exchange price; all below is of them.
        avg_diff: The mean difference.
        max_diff: The greatest one, which may be negative.
        min_diff: The least one.
        avg_diff_percent: The mean of the percentages.
        max_diff_percent: The greatest one.
        min_diff_percent: The least one.
        avg_abs_diff_percent: The mean of the percentages without their signs.
        correlation: Pearson's coefficient of the two prices, from -1 to 1.
    """

    total_entries: int
    valid_entries: int
    avg_diff: float | None
    max_diff: float | None
    min_diff: float | None
    avg_diff_percent: float | None
    max_diff_percent: float | None
    min_diff_percent: float | None
    avg_abs_diff_percent: float | None
    correlation: float | None


def rfc3339_sql(sql: str) -> str:
    """Return SQL for the text of a time of the database, as RFC 3339 has it."""
    return f"strftime({sql}, '%Y-%m-%dT%H:%M:%SZ')"


def _finite(sql: str) -> str:
    # JSON has no infinity, which a quotient may be.
    return f"CASE WHEN isfinite({sql}) THEN {sql} END"


_AMOUNT = "(exchange_price - price)"
_PERCENT = f"(100 * {_AMOUNT} / price)"

_PRICE = (
    Column("utxoracle_price", "price"),
    Column("mempool_price", "exchange_price"),
    Column("mempool_timestamp", rfc3339_sql("exchange_time"), is_text=True),
    Column("mempool_reason", "exchange_reason", is_text=True),
    Column("diff_amount", _AMOUNT),
    Column("diff_percent", _finite(_PERCENT)),
    Column("diverges", "diverges"),
    Column("confidence", "confidence"),
    Column("is_valid", "is_valid"),
    Column("invalid_reason", "invalid_reason", is_text=True),
    Column("rough_price", "rough_price"),
    Column("deviation", "deviation"),
    Column("tx_count", "tx_count"),
    Column("outputs", "outputs"),
    Column("points", "points"),
    Column("algorithm", "algorithm", is_text=True),
)
_BY_NAME: Mapping[str, Column] = {column.name: column for column in _PRICE}

SERIES = (
    Column("timestamp", rfc3339_sql("time"), is_text=True),
    Column("height", "height"),
    *(
        _BY_NAME[name]
        for name in (
            "utxoracle_price", "mempool_price", "diff_amount", "diff_percent", "confidence",
            "tx_count", "is_valid", "invalid_reason", "diverges",
        )
    ),
)  # fmt: skip
"""Columns of a series of window prices."""

NOON = "(CAST(date AS TIMESTAMP) + INTERVAL 12 HOUR)"
"""The moment of a day's price."""

DAILY = (
    Column("date", "date", is_text=True),
    Column("timestamp", rfc3339_sql(NOON), is_text=True),
    Column("first_height", "first_height"),
    Column("last_height", "last_height"),
    Column("blocks", "blocks"),
    *_PRICE,
    Column("label", "CASE WHEN price IS NOT NULL AND is_v91 THEN $3 END", is_text=True),
)
"""Columns of a series of daily prices."""


def _text(columns: tuple[Column, ...]) -> str:
    # Without names: ORDER BY would take the text of a height for the height.
    return ", ".join(f"CAST({column.sql} AS TEXT)" for column in columns)


_RANGE = "FROM window_prices WHERE time >= $1 AND time < $2"


def series_query(interval: str) -> str:
    """Return the query for `SERIES`, from moment $1 on and before $2."""
    chosen = ""
    if interval != BY_BLOCK:
        chosen = (
            "AND height IN (SELECT coalesce(max(height) FILTER (is_valid), max(height)) "
            f"{_RANGE} GROUP BY date_trunc('{interval}', time))"
        )
    return f"SELECT {_text(SERIES)} {_RANGE} {chosen} ORDER BY time, height"


_BEFORE = 100
"""Blocks before a day that the original's search may come upon: some 16 hours.

Times that jump back by more than two are not mined: nodes take no block from farther ahead.
"""

# The original and the tiling rule take the same blocks where all blocks round the day's midnights
# lie on the sides of them that their heights say, and none exactly on the first one, which the
# original takes or leaves depending on the way that it comes. What isn't stored can't be told.
_V91_DAYS = f"""
SELECT date FROM (
    SELECT date, blocks, first_height, CAST(date AS TIMESTAMP) AS midnight,
        unnest(range(first_height - {_BEFORE}, last_height + 1)) AS height
    FROM asked WHERE date >= DATE '{FIRST_V91_DAY}'
) AS wanted
JOIN blocks ON blocks.height = wanted.height
GROUP BY date, blocks
HAVING count(*) = blocks + {_BEFORE} AND bool_and(
    CASE WHEN wanted.height < first_height THEN time < midnight
    ELSE time > midnight AND time < midnight + INTERVAL 1 DAY END
)
"""  # noqa: S608

DAILY_QUERY = f"""
WITH asked AS (SELECT * FROM daily_prices WHERE {NOON} >= $1 AND {NOON} < $2)
SELECT {_text(DAILY)}
FROM (SELECT *, date IN ({_V91_DAYS}) AS is_v91 FROM asked)
ORDER BY date
"""  # noqa: S608
"""Gives `DAILY`, of the days whose noon is at $1 or after and before $2; $3 is the label."""

EXTENT_QUERY = f"SELECT count(*), min(time), max(time) {_RANGE}"
"""Gives the values of `Extent`, from moment $1 on and before $2."""

# What is far too great makes the correlation fail in DuckDB 1.5, and the whole answer with it.
_COMPARED = f"is_valid AND isfinite({_AMOUNT}) AND greatest(price, exchange_price) < 1e100"

# The correlation of what doesn't vary is NaN, or noise.
DIFFERENCES_QUERY = f"""
SELECT count(*), count(amount), avg(amount), max(amount), min(amount),
    avg(percent), max(percent), min(percent), avg(abs(percent)),
    CASE WHEN min(on_chain) < max(on_chain) AND min(exchange) < max(exchange)
    THEN greatest(-1, least(1, corr(exchange, on_chain))) END
FROM (
    SELECT CASE WHEN is_valid THEN {_AMOUNT} END AS amount, 100 * amount / price AS percent,
        CASE WHEN {_COMPARED} THEN price END AS on_chain,
        CASE WHEN {_COMPARED} THEN exchange_price END AS exchange
    {_RANGE}
)
"""  # noqa: S608
"""Gives the values of `Differences`, from moment $1 on and before $2."""
