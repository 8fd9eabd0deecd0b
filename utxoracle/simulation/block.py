"""One simulated block: its transactions hashed, committed to, and put behind a header."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

import numpy as np

from utxoracle.bitcoin.encoding import NULL_HASH, compact_size, double_sha256, height_push
from utxoracle.bitcoin.header import HEADER_SIZE, target_of
from utxoracle.bitcoin.merkle import merkle_root
from utxoracle.bitcoin.network import REGTEST
from utxoracle.bitcoin.scan import COMMITMENT_PREFIX
from utxoracle.bitcoin.walk import NULL_OUTPOINT
from utxoracle.simulation.payments import COIN, draw_values
from utxoracle.simulation.serialise import COIN_PROGRAM, Transactions, serialise
from utxoracle.simulation.shapes import draw_shapes
from utxoracle.simulation.stream import RandomStream

SAMPLE_SIZE = 16
"""How many txids of a block later blocks may spend."""

REACH = 150
"""Blocks back to which inputs spend; beyond, a previous txid is random."""

CHAINED_INPUTS = 0.2
"""Share of inputs that spend a transaction of this chain, most of them a recent one."""

HALVING_INTERVAL = 150
BLOCK_VERSION = 0x20000000


@dataclass(frozen=True, eq=False)
class Body:
    """A block without its header.

    Attributes:
        raw: The count of transactions and the transactions.
        merkle_root: 32 bytes in internal order.
        tx_count: Number of transactions, the coinbase included.
        stripped_size: Length of `raw` without the witnesses.
        sample: Some txids in internal order, for later blocks to spend.
    """

    raw: bytes
    merkle_root: bytes
    tx_count: int
    stripped_size: int
    sample: tuple[bytes, ...]


@dataclass(frozen=True, eq=False)
class Contents:
    """What a block holds behind its coinbase.

    Attributes:
        raw: The transactions.
        stripped_size: Length of `raw` without the witnesses.
        txids: Their txids in internal order.
        wtxids: Their hashes with the witnesses, likewise.
    """

    raw: bytes | bytearray
    stripped_size: int
    txids: list[bytes]
    wtxids: list[bytes]


def build_body(
    label: str,
    height: int,
    *,
    mean: int,
    price: float,
    noise: float,
    samples: Sequence[Sequence[bytes]],
) -> Body:
    """Return the body that these arguments determine.

    Args:
        label: Names the random numbers of the block.
        height: What the coinbase begins with.
        mean: Mean number of transactions.
        price: True price in USD.
        noise: Share of payments that aren't of a round dollar amount.
        samples: The samples of up to REACH blocks before, the latest first.
    """
    stream = RandomStream(label)
    shape = draw_shapes(stream, mean)
    transactions = serialise(stream, shape, draw_values(stream, shape.roles, price, noise))
    contents = hashed(transactions, _spend(stream, transactions, samples))
    step = max(1, len(contents.txids) // SAMPLE_SIZE)
    kept = slice(1, 1 + step * SAMPLE_SIZE, step)
    return complete(contents, stream, height, kept)


def hashed(transactions: Transactions, within: dict[int, list[tuple[int, int]]]) -> Contents:
    """Return the transactions with their hashes.

    Args:
        transactions: Whole but for the previous txids of `within`, which are filled in.
        within: For a transaction that spends earlier ones of its own block: where in the body
            the previous txids are, and which transactions they name.
    """
    txids, wtxids = _hash(transactions, within)
    witness_bytes = (transactions.ends - transactions.witnesses - 4 + 2)[transactions.segwit].sum()
    return Contents(
        raw=transactions.body,
        stripped_size=len(transactions.body) - int(witness_bytes),
        txids=txids,
        wtxids=wtxids,
    )


def complete(
    contents: Contents, stream: RandomStream, height: int, kept: slice, *, spendable: bool = False
) -> Body:
    """Return the body that has a coinbase before `contents`.

    Args:
        contents: All other transactions.
        stream: Where the coinbase's random bytes come from.
        height: What the coinbase begins with.
        kept: Which of the txids are for later blocks to spend; the coinbase's is the first.
        spendable: Whether anyone may spend what the coinbase claims, which is the subsidy alone;
            otherwise it claims fees of some size as well, and pays them to a random key.
    """
    commitment = double_sha256(merkle_root([NULL_HASH, *contents.wtxids]) + NULL_HASH)
    stripped, coinbase = _coinbase(stream, height, commitment, spendable=spendable)
    txids = [double_sha256(stripped), *contents.txids]
    count = compact_size(len(txids))
    return Body(
        raw=count + coinbase + contents.raw,
        merkle_root=merkle_root(txids),
        tx_count=len(txids),
        stripped_size=len(count) + len(stripped) + contents.stripped_size,
        sample=tuple(txids[kept]),
    )


def subsidy_at(height: int) -> int:
    """Return the satoshis that regtest lets the block at `height` make."""
    return 50 * COIN >> height // HALVING_INTERVAL


def mine_header(prev_hash: bytes, root: bytes, time: int) -> bytes:
    """Return a header over `root` whose hash meets regtest's target.

    Args:
        prev_hash: Hash of the block before, 32 bytes in internal order.
        root: The merkle root, likewise.
        time: Seconds since 1970 UTC.
    """
    limit = target_of(REGTEST.pow_limit_bits)
    start = (
        BLOCK_VERSION.to_bytes(4, "little")
        + prev_hash
        + root
        + time.to_bytes(4, "little")
        + REGTEST.pow_limit_bits.to_bytes(4, "little")
    )
    nonce = 0
    while True:
        header = start + nonce.to_bytes(4, "little")
        if int.from_bytes(double_sha256(header), "little") <= limit:
            return header
        nonce += 1


def weight_of(size: int, stripped_size: int) -> int:
    """Return the weight (BIP141) of a block whose body has these sizes without the header."""
    return 4 * HEADER_SIZE + 3 * stripped_size + size


def _spend(
    stream: RandomStream, transactions: Transactions, samples: Sequence[Sequence[bytes]]
) -> dict[int, list[tuple[int, int]]]:
    """Make a share of the inputs spend outputs of this chain.

    Returns:
        What `hashed` is to fill in, as the txids of this very block aren't known yet.
    """
    chained = np.flatnonzero(stream.uniform(len(transactions.prevouts)) < CHAINED_INPUTS)
    far = stream.uniform(len(chained))
    ages = (REACH * (far * far) * (far * far)).astype(np.int64).tolist()
    picks = stream.uniform(len(chained)).tolist()
    places = transactions.prevouts[chained].tolist()
    spenders = transactions.spenders[chained].tolist()
    within: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for at, spender, age, pick in zip(places, spenders, ages, picks, strict=True):
        if age == 0:
            if spender:
                within[spender].append((at, int(pick * spender)))
        elif age <= len(samples) and (sample := samples[age - 1]):
            transactions.body[at : at + 32] = sample[int(pick * len(sample))]
    return within


def _hash(
    transactions: Transactions, within: dict[int, list[tuple[int, int]]]
) -> tuple[list[bytes], list[bytes]]:
    """Return txids and wtxids in internal order, filling in the parents of `within` on the way."""
    body = transactions.body
    txids: list[bytes] = []
    wtxids: list[bytes] = []
    places = zip(
        transactions.starts.tolist(),
        transactions.witnesses.tolist(),
        transactions.ends.tolist(),
        transactions.segwit.tolist(),
        strict=True,
    )
    for position, (start, witness, end, segwit) in enumerate(places):
        if position in within:
            for at, parent in within[position]:
                body[at : at + 32] = txids[parent]
        whole = body[start:end]
        wtxid = sha256(sha256(whole).digest()).digest()
        wtxids.append(wtxid)
        if segwit:
            stripped = whole[:4] + whole[6 : witness - start] + whole[-4:]
            txids.append(sha256(sha256(stripped).digest()).digest())
        else:
            txids.append(wtxid)
    return txids, wtxids


def _coinbase(
    stream: RandomStream, height: int, commitment: bytes, *, spendable: bool
) -> tuple[bytes, bytes]:
    """Return a coinbase without and with its witness."""
    random = stream.octets(32)
    script = height_push(height) + b"\x08" + random[:8]
    fees = 0 if spendable else int.from_bytes(random[8:11], "little")
    payee = COIN_PROGRAM if spendable else b"\x16\x00\x14" + random[12:32]
    reward = subsidy_at(height) + fees
    middle = (
        b"\x01"
        + NULL_OUTPOINT
        + compact_size(len(script))
        + script
        + b"\xff\xff\xff\xff\x02"
        + reward.to_bytes(8, "little")
        + payee
        + bytes(8)
        + b"\x26"
        + COMMITMENT_PREFIX
        + commitment
    )
    version, lock_time = b"\x02\x00\x00\x00", bytes(4)
    witness = b"\x01\x20" + NULL_HASH
    return (
        version + middle + lock_time,
        version + b"\x00\x01" + middle + witness + lock_time,
    )
