"""A stored price as the keys of a JSON object; every answer names the same thing alike."""

import json
from typing import Any

from utxoracle.jobs.price import WINDOW_LABEL
from utxoracle.sources.days import rfc3339
from utxoracle.sources.exchange import ExchangePrice
from utxoracle.store.rows import PriceFacts, WindowRow


def window_entry(row: WindowRow) -> dict[str, Any]:
    """Return a window price as the keys of a JSON object.

    A window's blocks are always those that the original takes, hence the label.
    """
    return {
        "height": row.height,
        "hash": row.hash,
        "timestamp": rfc3339(row.time),
        **price_entry(row.facts, row.exchange, diverges=row.diverges),
        "label": WINDOW_LABEL if row.facts.price is not None else None,
    }


def price_entry(
    facts: PriceFacts, exchange: ExchangePrice, *, diverges: bool | None
) -> dict[str, Any]:
    """Return what the prices of windows and days share."""
    amount, percent = difference(facts.price, exchange.price)
    return {
        "utxoracle_price": facts.price,
        "mempool_price": exchange.price,
        "mempool_timestamp": None if exchange.time is None else rfc3339(exchange.time),
        "mempool_reason": exchange.reason,
        "diff_amount": amount,
        "diff_percent": percent,
        "diverges": diverges,
        "confidence": facts.confidence,
        "is_valid": facts.is_valid,
        "invalid_reason": facts.invalid_reason,
        "rough_price": facts.rough_price,
        "deviation": facts.deviation,
        "tx_count": facts.tx_count,
        "outputs": facts.outputs,
        "points": facts.points,
        "algorithm": facts.algorithm,
    }


def difference(price: float | None, exchange: float | None) -> tuple[float | None, float | None]:
    """Return how far the exchange price is above the on-chain one: in USD, and in percent of it."""
    if price is None or exchange is None:
        return None, None
    return exchange - price, 100 * (exchange - price) / price


def as_json(content: Any) -> bytes:
    """Return what a program reads, in as few bytes as JSON allows."""
    return json.dumps(content, separators=(",", ":"), allow_nan=False).encode()
