"""Chance made repeatable: amounts with a price in them, and chains of small blocks of such."""

from dataclasses import replace
from random import Random

from tests.builders import (
    OP_RETURN,
    P2WPKH,
    Block,
    Input,
    Output,
    Transaction,
    build_block,
    some_txid,
)
from utxoracle.bitcoin.encoding import NULL_HASH, hex_to_hash

ROUND_USD = (5, 10, 15, 20, 25, 30, 40, 50, 100, 100, 150, 200, 300, 500, 1000)
ROUND_SATS = (1_000, 20_000, 30_000, 50_000, 100_000, 1_000_000, 10_000_000, 100_000_000)
ODD_SATS = (0, 1, 546, 1_000, 1_001, 10**13 - 1, 10**13, 10**13 + 1, 2**63 - 1, 2**63, 2**64 - 1)
WITNESSES = (
    (b"s" * 72, b"k" * 33),
    (b"s" * 72, b"k" * 33),
    (b"s" * 64,),
    (b"w" * 500,),
    (b"w" * 501,),
    (b"a" * 250, b"b" * 250),
    (b"a" * 250, b"b" * 251),
    (),
)


def some_sats(random: Random, price: float, odd: float = 0.02) -> int:
    """Return an output value: often a round dollar amount at `price`, sometimes a strange one."""
    kind = random.random()
    if kind < odd:
        return random.choice(ODD_SATS)
    if kind < 0.6:
        usd = random.choice(ROUND_USD)
        return round(usd / price * random.gauss(1, 0.004) * 1e8)
    if kind < 0.65:
        return random.choice(ROUND_SATS)
    return round(10 ** random.gauss(5.8, 1.0))


def some_btc(seed: int, count: int, price: float) -> list[float]:
    """Return `count` amounts in BTC that pass the limits of the method."""
    random = Random(seed)
    amounts: list[float] = []
    while len(amounts) < count:
        btc = some_sats(random, price) / 1e8
        if 1e-5 < btc < 1e5:
            amounts.append(btc)
    return amounts


def some_chain(
    seed: int, *, blocks: int, transactions: int, price: float, first_height: int = 100
) -> list[Block]:
    """Return a chain of sound blocks in which every filter of the method has work to do.

    Some transactions spend what was created earlier in the chain, some stand before their parent
    in one block (as no real chain has it), and some are there twice.
    """
    random = Random(seed)
    chain: list[Block] = []
    known: list[Transaction] = []
    prev_hash = NULL_HASH
    for height in range(first_height, first_height + blocks):
        inside: list[Transaction] = []
        for _ in range(random.randint(0, 2 * transactions)):
            if known and random.random() < 0.02:
                one = random.choice(known)
                inside += [] if one in inside else [one]
                continue
            inside.append(_some_transaction(random, price, known))
            known.append(inside[-1])
        if len(inside) > 1 and random.random() < 0.5:
            at = random.randrange(len(inside) - 1)
            inside[at], inside[at + 1] = inside[at + 1], inside[at]
        chain.append(build_block(*inside, height=height, prev_hash=prev_hash))
        known.append(chain[-1].transactions[0])
        prev_hash = hex_to_hash(chain[-1].hash)
    return chain


def _some_transaction(random: Random, price: float, known: list[Transaction]) -> Transaction:
    outputs = tuple(
        Output(some_sats(random, price), P2WPKH)
        for _ in range(random.choice([1, 2, 2, 2, 2, 2, 2, 3]))
    )
    if random.random() < 0.05:
        outputs = (replace(outputs[0], script=random.choice([OP_RETURN, b""])), *outputs[1:])
    has_witness = random.random() < 0.7
    inputs = tuple(
        Input(
            _some_parent(random, known),
            random.randrange(3),
            witness=random.choice(WITNESSES) if has_witness else (),
        )
        for _ in range(random.choice([1, 1, 1, 1, 2, 2, 3, 5, 6]))
    )
    if random.random() < 0.01:
        inputs = (*inputs, Input(NULL_HASH, random.choice([0, 0xFFFFFFFF])))
    return Transaction(inputs, outputs, lock_time=random.randrange(2**32))


def _some_parent(random: Random, known: list[Transaction]) -> bytes:
    if known and random.random() < 0.08:
        return random.choice(known[-40:]).txid
    return some_txid(random.randrange(10**6))
