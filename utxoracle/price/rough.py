"""The rough price: where the stencils fit the histogram best (algorithm A5)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from utxoracle.price.histogram import EDGES
from utxoracle.price.stencil import HUNDRED_DOLLARS, SMOOTH, SPIKE_WEIGHTS

FIRST_SLIDE = -141
LAST_SLIDE = 200
"""Positions of the stencils, in bins: $507,000 down to $10,000."""

HUNDRED_DOLLARS_BIN = 601
"""The bin that stands for $100 at slide 0."""

FIRST_BIN = HUNDRED_DOLLARS_BIN - HUNDRED_DOLLARS
SMOOTH_WEIGHT = 0.65
SMOOTH_END = 150
"""From this slide on only the spikes count."""

RIVAL_DISTANCE = 9
"""Bins; a slide nearer to the best one is part of the same peak."""


@dataclass(frozen=True)
class RoughPrice:
    """The best position of the stencils.

    Attributes:
        price: USD for one BTC, whole dollars, truncated.
        slide: Position with the best score, in bins; the price falls by 1/200 decade a bin.
        score: Its score.
        rival_score: The best score at least RIVAL_DISTANCE bins away.
        spike_score: The part of `score` that the round dollar amounts give.
        rival_spike_score: The best such part at least RIVAL_DISTANCE bins away.
    """

    price: int
    slide: int
    score: float
    rival_score: float
    spike_score: float
    rival_spike_score: float


def spike_scores(shares: NDArray[np.float64], slides: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return how well the round dollar amounts fit the cleaned histogram at each slide."""
    scores = np.zeros(len(slides))
    # Place by place with all slides side by side: each sum keeps v9.1's order from left to
    # right, which np.dot and np.convolve do not promise. Places without weight add 0.0.
    for place, weight in SPIKE_WEIGHTS.items():
        scores += shares[FIRST_BIN + place + slides] * weight
    return scores


def smooth_scores(shares: NDArray[np.float64], slides: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return how well the broad hill fits the cleaned histogram at each slide."""
    scores = np.zeros(len(slides))
    first, last = FIRST_BIN + int(slides[0]), FIRST_BIN + int(slides[-1]) + 1
    for place, weight in enumerate(SMOOTH):
        scores += shares[first + place : last + place] * weight
    return scores


def rough_price(shares: NDArray[np.float64]) -> RoughPrice | None:
    """Return the rough price that the cleaned histogram `shares` (float64[2401]) shows.

    Returns:
        None when the stencils fit everywhere alike: no slide stands out.
    """
    slides = np.arange(FIRST_SLIDE, LAST_SLIDE + 1)
    # One slide more at each end: the neighbour of the best may lie outside.
    spikes = spike_scores(shares, np.arange(FIRST_SLIDE - 1, LAST_SLIDE + 2))
    scores = spikes[1:-1].copy()
    hilly = slides < SMOOTH_END
    scores[hilly] += smooth_scores(shares, slides[hilly]) * SMOOTH_WEIGHT

    best = _first_greatest(scores)
    average = float(np.cumsum(scores)[-1]) / len(slides)
    down, up = float(spikes[best]), float(spikes[best + 2])
    neighbour, neighbour_score = (-1, down) if down > up else (1, up)

    above = float(scores[best]) - average
    neighbour_above = abs(neighbour_score - average)
    if above + neighbour_above == 0:
        return None
    weight = above / (above + neighbour_above)
    neighbour_weight = neighbour_above / (above + neighbour_above)
    slide = int(slides[best])
    rivals = np.abs(slides - slide) >= RIVAL_DISTANCE
    price = weight * _price_at(slide) + neighbour_weight * _price_at(slide + neighbour)
    return RoughPrice(
        price=int(price),
        slide=slide,
        score=float(scores[best]),
        rival_score=float(scores[rivals].max()),
        spike_score=float(spikes[best + 1]),
        rival_spike_score=float(spikes[1:-1][rivals].max()),
    )


def _first_greatest(scores: NDArray[np.float64]) -> int:
    """Return the index of the first greatest score; that of slide 0 when none is above zero."""
    best = int(np.argmax(scores))
    return best if scores[best] > 0 else -FIRST_SLIDE


def _price_at(slide: int) -> float:
    return float(100 / EDGES[HUNDRED_DOLLARS_BIN + slide])
