"""Where the coins come from that a chain for a real node spends.

A node takes a block only if all that it spends is there. So the first coinbases are merged into a
treasury, and for each block of payments one transaction splits off the coins that its inputs
spend. Whatever is to be spent again pays to a script that anyone satisfies: nothing is signed.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from utxoracle.errors import UsageError
from utxoracle.simulation import shapes
from utxoracle.simulation.block import HALVING_INTERVAL, subsidy_at
from utxoracle.simulation.genesis import GENESIS_TIME
from utxoracle.simulation.options import SimulationOptions
from utxoracle.simulation.payments import COIN, draw_values
from utxoracle.simulation.serialise import COIN_PROGRAM
from utxoracle.simulation.shapes import Shapes, draw_shapes, first_of
from utxoracle.simulation.stream import Floats, Integers, RandomStream
from utxoracle.simulation.timeline import DAY, Timeline

COINBASES = 3 * HALVING_INTERVAL - 1
"""How many coinbases the treasury merges; the next 150 would add 7 %."""

MATURITY = 100
"""Blocks that a coinbase must be old to be spent."""

TREASURY = sum(subsidy_at(height) for height in range(1, COINBASES + 1))
"""Satoshis."""

MINED = COINBASES + MATURITY - 1
"""Height of the last block before the first that spends anything."""

QUIET = 144
"""Least number of blocks between the last coin that is made and the first that is spent.

A window that held both would drop every payment.
"""

FEE = 500
"""Satoshis of each coin that go to nobody."""

LINK_SHARE = 20
"""One in so many transactions also spends one of the block before."""

ROOM = 900_000
"""Bytes of outputs in a block that makes coins; each weighs four of the 4,000,000 allowed."""

OUTPUT_SIZE = 8 + len(COIN_PROGRAM)


@dataclass(frozen=True, eq=False)
class Payments:
    """The transactions of a block of payments, but for their bytes and the coins that they spend.

    Attributes:
        stream: Where their random bytes come from.
        shape: Their shapes.
        values: int64[sum of outputs], satoshis.
        links: How many of them, from the first on, spend one of the block before: the first input
            of each of these spends the first output of the one at the same place.
    """

    stream: RandomStream
    shape: Shapes
    values: Integers
    links: int

    def coins(self) -> Integers:
        """Return the satoshis of the coins that all inputs but the links spend, in their order."""
        inputs = self.shape.inputs.copy()
        inputs[: self.links] -= 1
        paid = np.concatenate([[0], np.cumsum(self.values)])
        begins = first_of(self.shape.outputs)
        needs = paid[begins + self.shape.outputs] - paid[begins]
        coins: Integers = np.repeat(-(-needs // inputs) + FEE, inputs)
        return coins


class Funding:
    """Which coins are made at what height for which payments.

    A branch of the chain spends the same coins: what is paid at a height is drawn once, in
    dollars, and a branch pays it at its own price, which is never below the trunk's.

    Attributes:
        first_payment: Height of the first block of payments.
        linkable: How many transactions of each, from the first on, have a first output that the
            next block may spend.
        batches: For each block that makes coins, from height MINED + 1 on, the blocks of payments
            that they are for, counted from 0.
        left: What is left of the treasury, in satoshis, before the coins of each block of payments
            are made, and after the last.
    """

    def __init__(self, options: SimulationOptions, label: str, prices: Floats) -> None:
        """Plan for a chain.

        Args:
            options: The chain's.
            label: Names its random numbers.
            prices: float64[n], USD for one BTC at each block of payments.

        Raises:
            UsageError: The payments are more than regtest has coins for, or it wasn't there yet.
        """
        self._options = options
        self._label = label
        self._prices = prices
        self.linkable = options.transactions // LINK_SHARE
        self.left = [TREASURY]
        sizes = []
        for index in range(len(prices)):
            coins = self.coins(index)
            self.left.append(self.left[-1] - int(coins.sum()))
            if self.left[-1] < 0:
                raise UsageError(self._too_dear(index))
            sizes.append(OUTPUT_SIZE * (len(coins) + 1))
        self.batches = _batches(sizes)
        quiet = max(QUIET, options.blocks_per_day)
        self.first_payment = MINED + len(self.batches) + quiet + 1

    def payments(self, index: int, price: float) -> Payments:
        """Return what block `index` of payments pays when a bitcoin costs `price` USD."""
        stream = RandomStream(f"{self._label}/payments {index}")
        shape = draw_shapes(stream, self._options.transactions)
        values = draw_values(stream, shape.roles, price, self._options.noise)
        # Those of the first block find none before it.
        links = self.linkable if index else 0
        return Payments(
            stream=stream,
            shape=_with_coins(shape, links, self.linkable),
            values=values,
            links=links,
        )

    def coins(self, index: int) -> Integers:
        """Return the satoshis of the coins that are made for block `index` of payments."""
        return self.payments(index, float(self._prices[index])).coins()

    def index_of(self, height: int) -> int | None:
        """Return which block of payments stands at `height`, or None where there are no coins."""
        index = height - self.first_payment
        return index if 0 <= index < len(self._prices) else None

    def batch_of(self, height: int) -> range | None:
        """Return for which blocks of payments the block at `height` makes coins, if for any."""
        batch = height - MINED - 1
        return self.batches[batch] if 0 <= batch < len(self.batches) else None

    def maker_of(self, index: int) -> tuple[int, int]:
        """Return where the coins of block `index` of payments are made.

        Returns:
            The height, and the place among the transactions there that make coins.
        """
        batch = bisect_right(self.batches, index, key=lambda one: one.start) - 1
        return MINED + 1 + batch, index - self.batches[batch].start

    def lead_in(self, timeline: Timeline) -> Timeline:
        """Return the timeline of the payments with that of all blocks before them put in front.

        Raises:
            UsageError: It begins before regtest's block 0.
        """
        count = self.first_payment - 1
        interval = DAY // self._options.blocks_per_day
        times = timeline.times[0] - interval * np.arange(count, 0, -1)
        if times[0] <= GENESIS_TIME:
            raise UsageError(
                f"simulation option start ({self._options.start}) is too early with regtest, "
                f"whose block 0 is of 2011-02-02 and whose {count} blocks before the first "
                f"payment take {count * interval // DAY + 1} days; give a later day"
            )
        return Timeline(
            times=np.concatenate([times, timeline.times]),
            prices=np.concatenate([np.full(count, self._options.price), timeline.prices]),
        )

    def mirror(self, height: int, prices: Floats) -> Floats:
        """Return prices from `height` on, mirrored at the trunk's where they are below them.

        So whatever a branch pays takes no more bitcoin than the trunk's coins hold.
        """
        least = self._prices[height - self.first_payment :]
        ratio = prices[: len(least)] / least
        return np.concatenate([least * np.maximum(ratio, 1 / ratio), prices[len(least) :]])

    def _too_dear(self, index: int) -> str:
        options = self._options
        return (
            f"simulation option regtest: its {TREASURY // COIN:,} BTC pay for {index} of "
            f"{len(self._prices)} blocks of {options.transactions} transactions at "
            f"{options.price:g} USD; lower days or transactions, or raise price"
        )


def _with_coins(shape: Shapes, links: int, linkable: int) -> Shapes:
    """Return transactions that spend coins, `links` of them one more, and `linkable` make one."""
    inputs = shape.inputs.copy()
    inputs[:links] += 1
    total = int(inputs.sum())
    output_kinds = shape.output_kinds.copy()
    output_kinds[first_of(shape.outputs)[:linkable]] = shapes.COIN_OUTPUT
    return replace(
        shape,
        inputs=inputs,
        input_kinds=np.full(total, shapes.COIN_INPUT),
        script_sizes=np.zeros(total, np.int64),
        output_kinds=output_kinds,
        segwit=np.ones(len(inputs), np.bool_),
    )


def _batches(sizes: Sequence[int]) -> list[range]:
    """Return the positions of `sizes` in groups, each of as many as fit into ROOM."""
    batches = []
    begin = used = 0
    for position, size in enumerate(sizes):
        if used + size > ROOM:
            batches.append(range(begin, position))
            begin, used = position, 0
        used += size
    return [*batches, range(begin, len(sizes))]
