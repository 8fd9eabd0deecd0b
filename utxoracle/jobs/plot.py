"""The intraday scatter of price points as one self-contained page."""

from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from math import ceil, floor, log10

import numpy as np
from numpy.typing import NDArray

from utxoracle.jobs.price import Answer
from utxoracle.price.estimate import Estimate
from utxoracle.price.scatter import shown_range

WIDTH, HEIGHT = 1000, 560
LEFT, RIGHT, TOP, BOTTOM = 112, 20, 20, 64
TICKS = 8

STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --soft: #6a737d; --paper: #fff; --dot: #b7641a;
  --line: #0b6b57; --grid: #e3e6ea }
@media (prefers-color-scheme: dark) { :root { --ink: #e8eaed; --soft: #9aa4ae; --paper: #14171a;
  --dot: #f2a65a; --line: #58d3b3; --grid: #2a2f35 } }
body { background: var(--paper); color: var(--ink); font: 16px/1.5 system-ui, sans-serif;
  margin: 0 auto; max-width: 1100px; padding: 1.5rem }
h1 { font-size: 1.1rem; font-weight: 600; margin: 0; color: var(--soft) }
.price { font-size: 2.6rem; font-weight: 700; margin: 0; font-variant-numeric: tabular-nums }
dl { display: flex; flex-wrap: wrap; gap: .3rem 2rem; margin: 1rem 0 }
dt { color: var(--soft); font-size: .85rem } dd { margin: 0; font-variant-numeric: tabular-nums }
svg { width: 100%; height: auto } text { fill: var(--soft); font-size: 13px }
@media (max-width: 600px) { text { font-size: 24px } text:nth-of-type(even) { display: none } }
.grid { stroke: var(--grid); stroke-width: 1 } .central { stroke: var(--line); stroke-width: 1.5 }
.points { stroke: var(--dot); stroke-width: 1.8; stroke-linecap: round; stroke-opacity: .6;
  fill: none }
"""


def plot(answer: Answer) -> str:
    """Return an HTML page with an inline SVG of the points; it needs no network and no script."""
    found = answer.estimate
    blocks = f"blocks {found.first_height} to {found.last_height}"
    if found.blocks == 1:
        blocks = f"block {found.first_height}"
    title = f"{answer.label or 'Price'}, {answer.day or blocks}"
    facts = {
        "blocks": f"{found.blocks:,} ({found.first_height} to {found.last_height})",
        "outputs": f"{found.outputs:,}",
        "price points": f"{found.points:,}",
        "deviation": f"${found.deviation:,.0f}",
        "confidence": f"{found.confidence:.2f}",
    }
    entries = "".join(f"<div><dt>{key}</dt><dd>{value}</dd></div>" for key, value in facts.items())
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}: ${int(found.price):,}</title><style>{STYLE}</style></head>\n"
        f'<body><main><h1>{escape(title)}</h1><p class="price">${int(found.price):,}</p>'
        f"<dl>{entries}</dl>\n{_scatter(found, title)}</main></body></html>\n"
    )


@dataclass(frozen=True)
class _Frame:
    """Where heights and prices lie in the drawing."""

    first_height: int
    blocks: int
    low: float
    high: float

    def x(self, heights: NDArray[np.floating]) -> NDArray[np.floating]:
        return LEFT + (heights - self.first_height) / self.blocks * (WIDTH - LEFT - RIGHT)

    def y(self, prices: NDArray[np.floating]) -> NDArray[np.floating]:
        return TOP + (self.high - prices) / (self.high - self.low) * (HEIGHT - TOP - BOTTOM)


def _scatter(found: Estimate, title: str) -> str:
    low, high = shown_range(found.point_prices, found.price)
    frame = _Frame(found.first_height, found.blocks, low, high)
    central = float(frame.y(np.array(found.price)))
    return "\n".join(
        [
            f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-labelledby="t d">',
            f'<title id="t">{escape(title)}</title>',
            f'<desc id="d">{found.points:,} price points by block height; the central price is '
            f"${int(found.price):,}.</desc>",
            *_price_axis(frame),
            *_height_axis(frame),
            f'<path class="central" d="M{LEFT} {central:.1f}H{WIDTH - RIGHT}"/>',
            f'<path class="points" d="{_dots(found, frame)}"/>',
            "</svg>",
        ]
    )


def _price_axis(frame: _Frame) -> Iterator[str]:
    prices = _round_values(frame.low, frame.high)
    for price, y in zip(prices, frame.y(prices), strict=True):
        yield f'<path class="grid" d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}"/>'
        yield f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">${price:,.0f}</text>'


def _height_axis(frame: _Frame) -> Iterator[str]:
    heights = _round_values(frame.first_height, frame.first_height + frame.blocks - 1)
    y = HEIGHT - BOTTOM + 26
    for height, x in zip(heights, frame.x(heights + 0.5), strict=True):
        yield f'<text x="{x:.1f}" y="{y}" text-anchor="middle">{height:.0f}</text>'
    middle = (LEFT + WIDTH - RIGHT) / 2
    yield f'<text x="{middle}" y="{HEIGHT - 8}" text-anchor="middle">block height</text>'


def _round_values(low: float, high: float) -> NDArray[np.floating]:
    """Return the multiples of 1, 2 or 5 times a power of ten, at least 1, from `low` to `high`."""
    apart = max((high - low) / TICKS, 1)
    power = 10 ** floor(log10(apart))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= apart)
    return np.arange(ceil(low / step), floor(high / step) + 1) * float(step)


def _dots(found: Estimate, frame: _Frame) -> str:
    """Return one path of zero-length strokes: a tenth of the bytes of as many circles."""
    shown = (found.point_prices > frame.low) & (found.point_prices < frame.high)
    heights = found.point_heights[shown]
    xs = frame.x(heights + _place_in_block(heights))
    ys = frame.y(found.point_prices[shown])
    return "".join(f"M{x:.1f} {y:.1f}h0" for x, y in zip(xs, ys, strict=True))


def _place_in_block(heights: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return for each of the ascending heights how far into its block its point is drawn."""
    _, first, counts = np.unique(heights, return_index=True, return_counts=True)
    nth = np.arange(len(heights)) - np.repeat(first, counts)
    place: NDArray[np.float64] = (nth + 0.5) / np.repeat(counts, counts)
    return place
