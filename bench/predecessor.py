"""What the API is compared with: FastAPI that opens the database file for each request.

That is how the hand-made predecessor answered. `/constant` answers without any database: what the
framework and its server cost alone. Served by `uvicorn bench.predecessor:app`; DATABASE names the
file.
"""

import os
from datetime import date

import duckdb
from fastapi import FastAPI
from pydantic import BaseModel

DATABASE = os.environ["DATABASE"]

NEWEST = """
SELECT date AS timestamp, utxoracle_price, exchange_price AS mempool_price, confidence, tx_count,
    price_difference AS diff_amount, avg_pct_diff AS diff_percent, is_valid
FROM price_analysis ORDER BY date DESC LIMIT 1
"""


class Entry(BaseModel):
    """The newest price, as the predecessor gives it."""

    timestamp: date
    utxoracle_price: float | None
    mempool_price: float | None
    confidence: float
    tx_count: int
    diff_amount: float | None
    diff_percent: float | None
    is_valid: bool


CONSTANT = Entry(
    timestamp=date(2026, 1, 31), utxoracle_price=63123.25, mempool_price=63150.0, confidence=0.83,
    tx_count=101234, diff_amount=26.75, diff_percent=0.0424, is_valid=True,
)  # fmt: skip

app = FastAPI()


@app.get("/api/prices/latest", response_model=Entry)
def latest() -> dict[str, object]:
    """Answer with the newest row."""
    with duckdb.connect(DATABASE, read_only=True) as connection:
        names = [name for name, *_ in connection.execute(NEWEST).description]
        return dict(zip(names, connection.fetchone() or (), strict=True))


@app.get("/constant", response_model=Entry)
async def constant() -> Entry:
    """Answer with what is always the same."""
    return CONSTANT
