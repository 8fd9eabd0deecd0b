"""The price method once more, as plainly as it can be said: loops, lists and sets.

The package is compared with this with `==`. So nothing here is fast, nothing is shared with the
package, and every sum runs from left to right.
"""

from bisect import bisect_right
from dataclasses import dataclass, field

from tests.reference.parse import Transaction, parse_block


class NoPrice(Exception):
    """Raised when the blocks hold no price."""


@dataclass
class Amounts:
    """What the filters keep of a run of blocks.

    Attributes:
        btc: The kept output amounts, in order.
        blocks: For each of them, the index of its block in the run.
        tx_count: Transactions that passed every filter.
    """

    btc: list[float] = field(default_factory=list)
    blocks: list[int] = field(default_factory=list)
    tx_count: int = 0


@dataclass
class Result:
    """The price of a run of blocks, and every figure on the way to it."""

    amounts: Amounts
    histogram: list[float]
    best: int
    best_score: float
    rough: int
    points: list[float]
    point_blocks: list[int]
    price: float
    deviation: float


def window_heights(tip: int) -> list[int]:
    """Return the heights of the window that belongs to a tip."""
    return list(range(tip - 144, tip))


def estimate(blocks: list[bytes]) -> Result:
    """Return the price of raw blocks given in ascending height."""
    return estimate_amounts(collect_amounts(blocks))


def estimate_amounts(amounts: Amounts) -> Result:
    """Return the price of amounts that passed the filters."""
    histogram = cleaned(count_amounts(amounts.btc))
    best, best_score = best_slide(slide_scores(histogram))
    rough = rough_price(histogram)
    points, point_blocks = price_points(amounts, rough)
    price, deviation = central(points, rough - 0.05 * rough, rough + 0.05 * rough)
    return Result(
        amounts, histogram, best, best_score, rough, points, point_blocks, price, deviation
    )


# Transactions to amounts.


def collect_amounts(blocks: list[bytes]) -> Amounts:
    """Return the output amounts of the transactions that pass, over the whole run."""
    amounts = Amounts()
    seen: set[bytes] = set()
    for index, raw in enumerate(blocks):
        for transaction in parse_block(raw):
            seen.add(transaction.txid)
            same_day = False
            for one in transaction.inputs:
                if one.prev_txid in seen:
                    same_day = True
            if same_day or not passes_alone(transaction):
                continue
            amounts.tx_count += 1
            for output in transaction.outputs:
                btc = output.value / 1e8
                if is_kept(btc):
                    amounts.btc.append(btc)
                    amounts.blocks.append(index)
    return amounts


def passes_alone(transaction: Transaction) -> bool:
    """Tell whether a transaction passes every filter that needs no other transaction."""
    if len(transaction.inputs) > 5:
        return False
    if len(transaction.outputs) != 2:
        return False
    for one in transaction.inputs:
        if one.prev_txid == b"\x00" * 32 and one.prev_index == b"\xff\xff\xff\xff":
            return False
    for output in transaction.outputs:
        if len(output.script) > 0 and output.script[0] == 0x6A:
            return False
    for items in transaction.witnesses:
        total = 0
        for item in items:
            total += len(item)
            if len(item) > 500 or total > 500:
                return False
    return True


def is_kept(btc: float) -> bool:
    """Tell whether an output amount counts."""
    return 1e-5 < btc < 1e5


# Amounts to histogram.

ROUND_BINS = [201, 401, 461, 496, 540, 601, 661, 696, 740]
ROUND_BINS += [801, 861, 896, 940, 1001, 1061, 1096, 1140, 1201]


def make_edges() -> list[float]:
    """Return the 2401 lower edges of the bins, in BTC."""
    edges = [0.0]
    for exponent in range(-6, 6):
        for b in range(200):
            edges.append(10 ** (exponent + b / 200))
    return edges


EDGES = make_edges()


def bin_of(btc: float) -> int:
    """Return the greatest bin whose edge isn't above the amount."""
    return bisect_right(EDGES, btc) - 1


def count_amounts(amounts: list[float]) -> list[float]:
    """Return how many amounts fall into each bin."""
    histogram = [0.0] * 2401
    for btc in amounts:
        histogram[bin_of(btc)] += 1.0
    return histogram


def without_ends(histogram: list[float]) -> list[float]:
    """Return the histogram with the far ends set to nothing."""
    result = list(histogram)
    for k in range(0, 201):
        result[k] = 0.0
    for k in range(1601, 2401):
        result[k] = 0.0
    return result


def without_round_bins(histogram: list[float]) -> list[float]:
    """Return the histogram with round-BTC bins replaced by the mean of their neighbours."""
    result = list(histogram)
    for r in ROUND_BINS:
        result[r] = 0.5 * (result[r + 1] + result[r - 1])
    return result


def shares(histogram: list[float]) -> list[float]:
    """Return the histogram divided by its sum and capped.

    Raises:
        NoPrice: The sum is zero.
    """
    total = 0.0
    for k in range(201, 1601):
        total += histogram[k]
    if total == 0.0:
        raise NoPrice("no output")
    result = list(histogram)
    for k in range(201, 1601):
        result[k] = min(result[k] / total, 0.008)
    return result


def cleaned(histogram: list[float]) -> list[float]:
    """Return the histogram after all of its cleaning."""
    return shares(without_round_bins(without_ends(histogram)))


# Histogram to rough price.

SPIKES = {
    40: 0.001300198324984352,
    141: 0.001676746949820743,
    201: 0.003468805546942046,
    202: 0.001991977522512513,
    236: 0.001905066647961839,
    261: 0.003341772718156079,
    262: 0.002588902624584287,
    296: 0.002577893841190244,
    297: 0.002733728814200412,
    340: 0.003076117748975647,
    341: 0.005613067550103145,
    342: 0.003088253178535568,
    400: 0.002918457489366139,
    401: 0.006174500465286022,
    402: 0.004417068070043504,
    403: 0.002628663628020371,
    436: 0.002858828161543839,
    461: 0.004097463611984264,
    462: 0.003345917406120509,
    496: 0.002521467726855856,
    497: 0.002784125730361008,
    541: 0.003792850444811335,
    601: 0.003688240815848247,
    602: 0.002392400117402263,
    636: 0.001280993059008106,
    661: 0.001654665137536031,
    662: 0.001395501347054946,
    741: 0.001154279140906312,
    801: 0.000832244504868709,
}


def make_smooth() -> list[float]:
    """Return the smooth stencil."""
    smooth = []
    for x in range(803):
        bell = 0.00150 * 2.718281828459045 ** (-((x - 411) ** 2) / (2 * 201**2))
        smooth.append(bell + 0.0000005 * x)
    return smooth


SMOOTH = make_smooth()
SPIKE = [SPIKES.get(x, 0.0) for x in range(803)]


def overlap(histogram: list[float], stencil: list[float], slide: int) -> float:
    """Return how well a stencil fits at a slide."""
    score = 0.0
    for n in range(803):
        score += histogram[199 + slide + n] * stencil[n]
    return score


def slide_scores(histogram: list[float]) -> list[float]:
    """Return the scores of the slides -141 to 200."""
    scores = []
    for slide in range(-141, 201):
        score = overlap(histogram, SPIKE, slide)
        if slide < 150:
            score = score + overlap(histogram, SMOOTH, slide) * 0.65
        scores.append(score)
    return scores


def best_slide(scores: list[float]) -> tuple[int, float]:
    """Return the slide with the greatest score, and the score."""
    best = 0
    best_score = 0.0
    for position, score in enumerate(scores):
        if score > best_score:
            best = position - 141
            best_score = score
    return best, best_score


def rough_price(histogram: list[float]) -> int:
    """Return the rough price in whole dollars.

    Raises:
        NoPrice: Neither the best slide nor its neighbour stands out.
    """
    scores = slide_scores(histogram)
    best, best_score = best_slide(scores)
    total = 0.0
    for score in scores:
        total += score
    average = total / 342

    up = overlap(histogram, SPIKE, best + 1)
    down = overlap(histogram, SPIKE, best - 1)
    if down > up:
        neighbour, neighbour_score = -1, down
    else:
        neighbour, neighbour_score = +1, up

    first = 100 / EDGES[601 + best]
    second = 100 / EDGES[601 + best + neighbour]
    a1 = best_score - average
    a2 = abs(neighbour_score - average)
    if a1 + a2 == 0:
        raise NoPrice("no slide stands out")
    w1 = a1 / (a1 + a2)
    w2 = a2 / (a1 + a2)
    return int(w1 * first + w2 * second)


# Rough price to points.

USDS = [5, 10, 15, 20, 25, 30, 40, 50, 100, 150, 200, 300, 500, 1000]


def make_round_list() -> list[float]:
    """Return the round BTC amounts, with the error that adding up brings."""
    ranges = [
        (0.00005, 0.0001, 0.00001),
        (0.0001, 0.001, 0.00001),
        (0.001, 0.01, 0.0001),
        (0.01, 0.1, 0.001),
        (0.1, 1, 0.01),
    ]
    result = []
    for start, end, step in ranges:
        i = start
        while i < end:
            result.append(i)
            i += step
    return result


ROUND_LIST = make_round_list()


def is_round(btc: float) -> bool:
    """Tell whether an amount is a round number of BTC."""
    return any(r - 0.0001 * r < btc < r + 0.0001 * r for r in ROUND_LIST)


def price_points(amounts: Amounts, rough: int) -> tuple[list[float], list[int]]:
    """Return the points in order, and for each the index of its block."""
    points = []
    point_blocks = []
    for btc, block in zip(amounts.btc, amounts.blocks, strict=True):
        for usd in USDS:
            c = usd / rough
            if c - 0.25 * c < btc < c + 0.25 * c and not is_round(btc):
                points.append(usd / btc)
                point_blocks.append(block)
    return points, point_blocks


# Points to price.


def central(points: list[float], low: float, high: float) -> tuple[float, float]:
    """Return the central price of the points between two bounds, and its deviation.

    Raises:
        NoPrice: There is no point between them.
    """
    x = sorted(p for p in points if low < p < high)
    n = len(x)
    if n == 0:
        raise NoPrice("no point")
    prefix = []
    running = 0.0
    for value in x:
        running += value
        prefix.append(running)
    total = prefix[n - 1]

    best_index = 0
    best_distance = None
    for i in range(n):
        left = 0 if i == 0 else prefix[i - 1]
        right = total - prefix[i]
        distance = (x[i] * i - left) + (right - x[i] * (n - 1 - i))
        if best_distance is None or distance < best_distance:
            best_index, best_distance = i, distance
    result = x[best_index]
    return result, median([abs(value - result) for value in x])


def median(values: list[float]) -> float:
    """Return the middle value, or the mean of the two middle ones."""
    ordered = sorted(values)
    middle = len(ordered) // 2
    if len(ordered) % 2 == 1:
        return ordered[middle]
    return (ordered[middle - 1] + ordered[middle]) / 2
