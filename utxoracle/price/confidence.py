"""How much a price deserves to be trusted, as one number between 0 and 1."""

CENTRAL_BAND = 0.05
"""Share of the rough price on each side within which points decide the price (algorithm A7)."""

ENOUGH_POINTS = 200
"""With this many points the share for their number is one half."""

CLEAR_LEAD = 0.1
"""With this lead of the best slide over its rival the share for the lead is one half."""


def confidence(
    *,
    deviation: float,
    price: float,
    points: int,
    spike_score: float,
    rival_spike_score: float,
) -> float:
    """Return the geometric mean of three shares, each between 0 and 1.

    * narrowness, 1 - deviation / (CENTRAL_BAND / 2 · price): 1 when all points agree, 0 when
      they are spread evenly over the band, whose median distance from its middle is half the
      band's half width. No peak, no price.
    * number, points / (points + ENOUGH_POINTS).
    * lead, with lead = 1 - rival / best: lead / (lead + CLEAR_LEAD). A rival slide that fits as
      well stands for another price, such as twice as much.

    The lead is taken of the spikes alone. The broad hill favours some slides whatever the round
    amounts say, and is left out of the score below about $17,800: there the method settles on a
    multiple of the true price, whose spikes fit worse than those of the slide that it passed over.

    Args:
        deviation: Median distance of the points in the band from the price, in USD.
        price: The central price in USD.
        points: Number of points in the band.
        spike_score: How well the round dollar amounts fit at the best slide.
        rival_spike_score: The same for the best of the slides that are another peak.
    """
    narrowness = max(0.0, 1 - deviation / (CENTRAL_BAND / 2 * price))
    number = points / (points + ENOUGH_POINTS)
    lead = max(0.0, 1 - rival_spike_score / spike_score) if spike_score > 0 else 0.0
    return float((narrowness * number * lead / (lead + CLEAR_LEAD)) ** (1 / 3))
