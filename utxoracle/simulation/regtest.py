"""The blocks of a chain that a real node on regtest takes."""

from collections.abc import Callable, Sequence

import numpy as np

from utxoracle.bitcoin.encoding import compact_size, double_sha256
from utxoracle.simulation.block import Body, Contents, complete, hashed
from utxoracle.simulation.funding import COINBASES, TREASURY, Funding, Payments
from utxoracle.simulation.serialise import COIN_PROGRAM, COIN_WITNESS, SEQUENCE, serialise
from utxoracle.simulation.shapes import first_of
from utxoracle.simulation.stream import Integers, RandomStream

SampleAt = Callable[[int], Sequence[bytes]]
"""Gives the txids that a block below keeps for others to spend, by its height."""


def build_regtest_body(
    funding: Funding, label: str, height: int, price: float, sample_at: SampleAt
) -> Body:
    """Return the body that these arguments determine.

    Args:
        funding: Which coins are made where, and what for.
        label: Names the random numbers of the coinbase.
        height: The block's.
        price: True price in USD, not below the trunk's at this height.
        sample_at: What blocks below leave to be spent.
    """
    index = funding.index_of(height)
    batch = funding.batch_of(height)
    if index is not None:
        payments = funding.payments(index, price)
        contents = _pay(payments, *_parents(funding, index, height, sample_at))
        kept = slice(1, 1 + funding.linkable)
    elif batch is not None:
        contents = _make_coins(funding, batch, height, sample_at)
        kept = slice(-len(batch), None)
    else:
        contents = _contents([])
        kept = slice(1)
    return complete(contents, RandomStream(label), height, kept, spendable=True)


def _parents(
    funding: Funding, index: int, height: int, sample_at: SampleAt
) -> tuple[bytes, Sequence[bytes]]:
    """Return the txid that holds the coins of a block of payments, and those it is linked to."""
    maker, place = funding.maker_of(index)
    return sample_at(maker)[place], sample_at(height - 1) if index else ()


def _pay(payments: Payments, coins: bytes, linked: Sequence[bytes]) -> Contents:
    """Return the transactions of a block of payments.

    Args:
        payments: What they are made from.
        coins: Txid of the transaction whose outputs but the first are the coins they spend.
        linked: Txids of the transactions that the first of them spend as well.
    """
    transactions = serialise(payments.stream, payments.shape, payments.values)
    links = first_of(payments.shape.inputs)[: payments.links]
    for at, txid in zip(transactions.prevouts[links].tolist(), linked, strict=True):
        transactions.body[at : at + 32] = txid
    places = np.delete(transactions.prevouts, links)
    numbers = np.arange(1, len(places) + 1, dtype="<u4").view(np.uint8).reshape(-1, 4)
    octets = np.frombuffer(transactions.body, np.uint8)
    octets[places[:, np.newaxis] + np.arange(32)] = np.frombuffer(coins, np.uint8)
    octets[places[:, np.newaxis] + np.arange(32, 36)] = numbers
    return hashed(transactions, {})


def _make_coins(funding: Funding, batch: range, height: int, sample_at: SampleAt) -> Contents:
    """Return a transaction for each block of payments of `batch`, after the treasury's own.

    Each spends the first output of the one before and puts into its own what it leaves.
    """
    transactions = []
    if batch.start == 0:
        mined = [sample_at(one)[0] for one in range(1, COINBASES + 1)]
        transactions.append(_transaction(mined, np.array([TREASURY])))
        parent = double_sha256(transactions[0][0])
    else:
        parent = sample_at(height - 1)[-1]
    for index in batch:
        values = np.concatenate([[funding.left[index + 1]], funding.coins(index)])
        transactions.append(_transaction([parent], values))
        parent = double_sha256(transactions[-1][0])
    return _contents(transactions)


def _transaction(parents: Sequence[bytes], values: Integers) -> tuple[bytes, bytes]:
    """Return a transaction, without and with its witness, that turns coins into coins.

    Args:
        parents: Txids of which it spends the first output each.
        values: int64[n], the satoshis of its outputs.
    """
    outputs = np.empty((len(values), 8 + len(COIN_PROGRAM)), np.uint8)
    outputs[:, :8] = values.astype("<i8").view(np.uint8).reshape(-1, 8)
    outputs[:, 8:] = np.frombuffer(COIN_PROGRAM, np.uint8)
    middle = (
        compact_size(len(parents))
        + b"".join(parent + bytes(4) + b"\x00" + SEQUENCE for parent in parents)
        + compact_size(len(values))
        + outputs.tobytes()
    )
    version, lock_time = b"\x02\x00\x00\x00", bytes(4)
    witness = COIN_WITNESS * len(parents)
    return (
        version + middle + lock_time,
        version + b"\x00\x01" + middle + witness + lock_time,
    )


def _contents(transactions: list[tuple[bytes, bytes]]) -> Contents:
    return Contents(
        raw=b"".join(whole for _, whole in transactions),
        stripped_size=sum(len(stripped) for stripped, _ in transactions),
        txids=[double_sha256(stripped) for stripped, _ in transactions],
        wtxids=[double_sha256(whole) for _, whole in transactions],
    )
