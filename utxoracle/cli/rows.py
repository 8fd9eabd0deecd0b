"""Stored rows as programs read them."""

from typing import Any

from utxoracle.sources.days import rfc3339
from utxoracle.sources.exchange import ExchangePrice
from utxoracle.store.rows import DayRow, PriceFacts, WindowRow


def window_as_json(row: WindowRow) -> dict[str, Any]:
    """Return a window price as the keys of a JSON object."""
    return {
        "height": row.height,
        "hash": row.hash,
        "time": rfc3339(row.time),
        **_facts(row.facts),
        **_exchange(row.exchange),
        "diverges": row.diverges,
    }


def day_as_json(row: DayRow) -> dict[str, Any]:
    """Return a daily price as the keys of a JSON object."""
    return {
        "date": row.date.isoformat(),
        "first_height": row.first_height,
        "last_height": row.last_height,
        "blocks": row.blocks,
        **_facts(row.facts),
        **_exchange(row.exchange),
        "diverges": row.diverges,
    }


def _facts(facts: PriceFacts) -> dict[str, Any]:
    return {
        "price": facts.price,
        "rough_price": facts.rough_price,
        "deviation": facts.deviation,
        "tx_count": facts.tx_count,
        "outputs": facts.outputs,
        "points": facts.points,
        "confidence": facts.confidence,
        "is_valid": facts.is_valid,
        "invalid_reason": facts.invalid_reason,
        "algorithm": facts.algorithm,
    }


def _exchange(exchange: ExchangePrice) -> dict[str, Any]:
    return {
        "exchange_price": exchange.price,
        "exchange_time": None if exchange.time is None else rfc3339(exchange.time),
        "exchange_reason": exchange.reason,
    }
