"""Whether a price deserves to be shown, judged by what is on the chain alone."""

from dataclasses import dataclass
from math import inf
from typing import TypeGuard


@dataclass(frozen=True)
class Limits:
    """What a price needs to be valid; a figure that is just at its limit still is.

    Attributes:
        min_price: Lowest price in USD.
        max_price: Highest price in USD.
        min_outputs: Least number of outputs that count.
        min_points: Least number of price points.
        min_confidence: Least confidence, between 0 and 1.
        max_jump: Greatest distance from the valid price before, in percent of that.
    """

    min_price: float
    max_price: float
    min_outputs: int
    min_points: int
    min_confidence: float
    max_jump: float


def invalid_reason(
    *,
    price: float | None,
    outputs: int,
    points: int,
    confidence: float,
    before: float | None,
    limits: Limits,
) -> str | None:
    """Return why a price is not valid, as a short phrase with the first figure that fails.

    Args:
        price: The price in USD, or None; NaN is no price either.
        outputs: Number of outputs that count.
        points: Number of price points.
        confidence: Between 0 and 1; NaN is below every limit.
        before: The valid price before, in USD; without one there is no jump.
        limits: What is asked of all these.

    Returns:
        None when the price is valid.
    """
    if not _is_price(price):
        return "no price"
    return (
        _beyond_bounds(price, limits)
        or _too_little(outputs, points, confidence, limits)
        or _jump(price, before, limits)
    )


def diverges(price: float | None, exchange: float | None, percent: float) -> bool | None:
    """Tell whether the exchange price is at least `percent` percent of `price` away from it.

    Returns:
        None when one of the two prices is missing; NaN, infinity and zero count as missing.
    """
    if not _is_price(price) or not _is_price(exchange):
        return None
    return abs(exchange - price) / price * 100 >= percent


def _is_price(price: float | None) -> TypeGuard[float]:
    return price is not None and 0 < price < inf


def _beyond_bounds(price: float, limits: Limits) -> str | None:
    if price < limits.min_price:
        return f"price ${price:,.0f} is below ${limits.min_price:,.0f}"
    if price > limits.max_price:
        return f"price ${price:,.0f} is above ${limits.max_price:,.0f}"
    return None


def _too_little(outputs: int, points: int, confidence: float, limits: Limits) -> str | None:
    if outputs < limits.min_outputs:
        return f"{outputs:,} outputs are fewer than {limits.min_outputs:,}"
    if points < limits.min_points:
        return f"{points:,} points are fewer than {limits.min_points:,}"
    # Put so that NaN fails.
    if not confidence >= limits.min_confidence:
        return f"confidence {confidence:.4f} is below {limits.min_confidence:g}"
    return None


def _jump(price: float, before: float | None, limits: Limits) -> str | None:
    if not _is_price(before):
        return None
    jump = abs(price - before) / before * 100
    if jump <= limits.max_jump:
        return None
    return (
        f"price ${price:,.0f} is {jump:.2f} % away from ${before:,.0f} before, "
        f"more than {limits.max_jump:g} %"
    )
