"""One pass over a block's bytes: where each transaction lies, and which are candidates."""

from dataclasses import dataclass, field

from utxoracle.bitcoin.encoding import NULL_HASH
from utxoracle.bitcoin.header import HEADER_SIZE
from utxoracle.errors import BlockCorrupt

MAX_BLOCK_SIZE = 4_000_000
"""Bytes; no block of weight 4,000,000 or less serialises to more (BIP141)."""

MAX_INPUTS = 5
OUTPUTS = 2
MAX_WITNESS = 500
"""Bytes; the greatest sum of one input's witness items that still passes."""

NULL_OUTPOINT = NULL_HASH + b"\xff\xff\xff\xff"
OP_RETURN = 0x6A


@dataclass
class Layout:
    """Byte offsets into a block, in block order.

    Attributes:
        starts: Where each transaction begins.
        witnesses: Where its witness begins; equal to the lock time's offset without one.
        ends: Where it ends, one past its last byte.
        segwit: Whether it is serialised with marker, flag and witness.
        candidates: Positions in the block of the transactions that pass every filter but the
            same-window one.
        prevouts: For each candidate, the offsets of its inputs' previous txids.
        values: For each candidate, the offsets of its two output values.
        coinbase_inputs: Offsets of the first transaction's inputs.
        coinbase_outputs: Offsets of its outputs.
    """

    starts: list[int] = field(default_factory=list)
    witnesses: list[int] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)
    segwit: list[bool] = field(default_factory=list)
    candidates: list[int] = field(default_factory=list)
    prevouts: list[list[int]] = field(default_factory=list)
    values: list[tuple[int, int]] = field(default_factory=list)
    coinbase_inputs: list[int] = field(default_factory=list)
    coinbase_outputs: list[int] = field(default_factory=list)


def read_compact_size(raw: bytes, at: int) -> tuple[int, int]:
    """Return the variable-length integer at `at` and the offset behind it.

    Raises:
        BlockCorrupt: It isn't in its shortest form, which Bitcoin Core refuses as well.
        IndexError: The bytes end before it.
    """
    first = raw[at]
    if first < 0xFD:
        return first, at + 1
    width = 1 << (first - 0xFC)
    end = at + 1 + width
    raw[end - 1]
    value = int.from_bytes(raw[at + 1 : end], "little")
    if value < 0xFD or (width > 2 and value >> (4 * width) == 0):
        raise BlockCorrupt(f"the integer at byte {at} isn't in its shortest form")
    return value, end


def is_null_outpoint(raw: bytes, at: int) -> bool:
    """Tell whether the input at `at` spends nothing, which is what makes a coinbase."""
    return raw[at : at + 36] == NULL_OUTPOINT


def walk(raw: bytes) -> Layout:
    """Return the layout of the serialised block `raw`, every byte of which must be used.

    Time and memory are bounded by the length of `raw`: each counted thing takes at least one
    byte, so an absurd count runs into the end.

    Raises:
        BlockCorrupt: The bytes aren't one whole block.
    """
    if len(raw) > MAX_BLOCK_SIZE:
        raise BlockCorrupt(
            f"{len(raw):,} bytes are more than a block can have ({MAX_BLOCK_SIZE:,})"
        )
    layout = Layout()
    try:
        count, at = read_compact_size(raw, HEADER_SIZE)
        for _ in range(count):
            at = _walk_transaction(raw, at, layout)
    except IndexError:
        raise BlockCorrupt(
            f"the block ends too early: after {len(raw):,} bytes, inside transaction "
            f"{len(layout.ends)}"
        ) from None
    if at != len(raw):
        raise BlockCorrupt(f"{len(raw) - at:,} bytes are left over behind the last transaction")
    return layout


def _walk_transaction(raw: bytes, start: int, layout: Layout) -> int:
    """Append the transaction at `start` to `layout` and return the offset behind it."""
    at = start + 4
    segwit = raw[at] == 0
    if segwit:
        if raw[at + 1] != 1:
            raise BlockCorrupt(f"transaction {len(layout.ends)} has no inputs (byte {at})")
        at += 2
    inputs, at = _walk_inputs(raw, at)
    outputs, op_return, at = _walk_outputs(raw, at)
    witness = at
    big_witness = False
    if segwit:
        big_witness, at = _walk_witnesses(raw, at, len(inputs))
    end = at + 4
    raw[end - 1]

    position = len(layout.ends)
    if position == 0:
        layout.coinbase_inputs = inputs
        layout.coinbase_outputs = outputs
    layout.starts.append(start)
    layout.witnesses.append(witness)
    layout.ends.append(end)
    layout.segwit.append(segwit)
    if (
        len(inputs) <= MAX_INPUTS
        and len(outputs) == OUTPUTS
        and not op_return
        and not big_witness
        and not any(is_null_outpoint(raw, one) for one in inputs)
    ):
        layout.candidates.append(position)
        layout.prevouts.append(inputs)
        layout.values.append((outputs[0], outputs[1]))
    return end


# The three loops below read small counts and lengths in place: a call of read_compact_size for
# each of a block's 50,000 would double the time.


def _walk_inputs(raw: bytes, at: int) -> tuple[list[int], int]:
    """Return the offsets of the inputs counted at `at`, and the offset behind them."""
    count = raw[at]
    at += 1
    if count >= 0xFD:
        count, at = read_compact_size(raw, at - 1)
    inputs = []
    for _ in range(count):
        inputs.append(at)
        length = raw[at + 36]
        if length < 0xFD:
            at += 41 + length
        else:
            length, script = read_compact_size(raw, at + 36)
            at = script + length + 4
    return inputs, at


def _walk_outputs(raw: bytes, at: int) -> tuple[list[int], bool, int]:
    """Return the offsets of the outputs, whether one is OP_RETURN, and the offset behind them."""
    count = raw[at]
    at += 1
    if count >= 0xFD:
        count, at = read_compact_size(raw, at - 1)
    outputs = []
    op_return = False
    for _ in range(count):
        outputs.append(at)
        length = raw[at + 8]
        script = at + 9
        if length >= 0xFD:
            length, script = read_compact_size(raw, at + 8)
        if length and raw[script] == OP_RETURN:
            op_return = True
        at = script + length
    return outputs, op_return, at


def _walk_witnesses(raw: bytes, at: int, inputs: int) -> tuple[bool, int]:
    """Return whether an input's witness exceeds MAX_WITNESS, and the offset behind the last."""
    big = False
    for _ in range(inputs):
        count = raw[at]
        at += 1
        if count >= 0xFD:
            count, at = read_compact_size(raw, at - 1)
        total = 0
        for _ in range(count):
            length = raw[at]
            at += 1
            if length >= 0xFD:
                length, at = read_compact_size(raw, at - 1)
            at += length
            total += length
        if total > MAX_WITNESS:
            big = True
    return big, at
