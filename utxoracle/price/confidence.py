"""How much a price deserves to be trusted, as one number between 0 and 1."""

CENTRAL_BAND = 0.05
"""Share of the rough price on each side within which points decide the price (algorithm A7)."""

ENOUGH_POINTS = 200
"""With this many points the share for their number is one half."""

CLEAR_LEAD = 0.1
"""With this lead of the best slide over its rival the share for the lead is one half."""


def confidence(
    *, deviation: float, price: float, points: int, score: float, rival_score: float
) -> float:
    """Return the geometric mean of three shares, each between 0 and 1.

    * narrowness, 1 - deviation / (CENTRAL_BAND / 2 · price): 1 when all points agree, 0 when
      they are spread evenly over the band, whose median distance from its middle is half the
      band's half width. No peak, no price.
    * number, points / (points + ENOUGH_POINTS).
    * lead, with lead = 1 - rival / best: lead / (lead + CLEAR_LEAD). A rival slide that fits as
      well stands for another price, such as one ten times as high.

    Args:
        deviation: Median distance of the points in the band from the price, in USD.
        price: The central price in USD.
        points: Number of points in the band.
        score: Score of the best slide, above 0.
        rival_score: The best score at least `rough.RIVAL_DISTANCE` bins away.
    """
    narrowness = max(0.0, 1 - deviation / (CENTRAL_BAND / 2 * price))
    number = points / (points + ENOUGH_POINTS)
    ahead = max(0.0, 1 - rival_score / score)
    lead = ahead / (ahead + CLEAR_LEAD)
    return float((narrowness * number * lead) ** (1 / 3))
