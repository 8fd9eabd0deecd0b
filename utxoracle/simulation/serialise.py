"""The bytes of a block's transactions, all laid out at once."""

from dataclasses import dataclass
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from utxoracle.simulation import shapes
from utxoracle.simulation.shapes import Shapes, first_of
from utxoracle.simulation.stream import Integers, RandomStream

Octets = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Piece:
    """A part of a transaction: some bytes are fixed, the others stay random.

    Attributes:
        size: Its length in bytes.
        places: int64[k], where its fixed bytes are.
        fixed: uint8[k], what they are.
    """

    size: int
    places: Integers
    fixed: Octets


def _piece(*parts: int | bytes) -> Piece:
    """Return a piece made of fixed bytes and, for each number, as many random ones."""
    places: list[int] = []
    fixed = b""
    size = 0
    for part in parts:
        if isinstance(part, int):
            size += part
        else:
            places += range(size, size + len(part))
            fixed += part
            size += len(part)
    return Piece(size, np.array(places, np.int64), np.frombuffer(fixed, np.uint8))


OUTPOINT = (32, b"\x00\x00\x00\x00")
SEQUENCE = b"\xfd\xff\xff\xff"
# 72 bytes of DER and one of sighash type: the usual look of an ECDSA signature.
SIGNATURE = (b"\x48\x30\x45\x02\x21\x00", 32, b"\x02\x20", 32, b"\x01")
PUBLIC_KEY = (b"\x21\x02", 32)

# OP_TRUE: a script that anyone satisfies, with no signature.
COIN_SCRIPT = b"\x51"
COIN_WITNESS = b"\x01\x01" + COIN_SCRIPT
COIN_PROGRAM = b"\x22\x00\x20" + sha256(COIN_SCRIPT).digest()
"""The output script, with its length before it, of a coin that anyone may spend."""

SEGWIT_INPUT = _piece(*OUTPOINT, b"\x00", SEQUENCE)
INPUTS = {
    shapes.LEGACY: _piece(*OUTPOINT, b"\x6b", *SIGNATURE, *PUBLIC_KEY, SEQUENCE),
    shapes.NESTED: _piece(*OUTPOINT, b"\x17\x16\x00\x14", 20, SEQUENCE),
    shapes.KEY_HASH: SEGWIT_INPUT,
    shapes.SCRIPT_HASH: SEGWIT_INPUT,
    shapes.TAPROOT: SEGWIT_INPUT,
    shapes.TAPSCRIPT: SEGWIT_INPUT,
    shapes.COIN_INPUT: SEGWIT_INPUT,
}
KEY_WITNESS = _piece(b"\x02", *SIGNATURE, *PUBLIC_KEY)
MULTISIG = (b"\x69\x52", *PUBLIC_KEY, *PUBLIC_KEY, *PUBLIC_KEY, b"\x53\xae")
CONTROL_BLOCK = _piece(b"\x21\xc0", 32)
WITNESSES = {
    shapes.LEGACY: _piece(b"\x00"),
    shapes.NESTED: KEY_WITNESS,
    shapes.KEY_HASH: KEY_WITNESS,
    shapes.SCRIPT_HASH: _piece(b"\x04\x00", *SIGNATURE, *SIGNATURE, *MULTISIG),
    shapes.TAPROOT: _piece(b"\x01\x40", 64),
    # What a tapscript's witness begins with; its script and the control block follow.
    shapes.TAPSCRIPT: _piece(b"\x03\x40", 64, b"\xfd", 2),
    shapes.COIN_INPUT: _piece(COIN_WITNESS),
}
OUTPUTS = {
    shapes.P2PKH: _piece(8, b"\x19\x76\xa9\x14", 20, b"\x88\xac"),
    shapes.P2SH: _piece(8, b"\x17\xa9\x14", 20, b"\x87"),
    shapes.P2WPKH: _piece(8, b"\x16\x00\x14", 20),
    shapes.P2WSH: _piece(8, b"\x22\x00\x20", 32),
    shapes.P2TR: _piece(8, b"\x22\x51\x20", 32),
    shapes.OP_RETURN: _piece(8, b"\x22\x6a\x20", 32),
    shapes.COIN_OUTPUT: _piece(8, COIN_PROGRAM),
}
VERSION = _piece(b"\x02\x00\x00\x00")
VERSION_SEGWIT = _piece(b"\x02\x00\x00\x00\x00\x01")
LOCK_TIME = _piece(b"\x00\x00\x00\x00")


def _sizes(pieces: dict[int, Piece]) -> Integers:
    return np.array([pieces[kind].size for kind in sorted(pieces)], np.int64)


INPUT_SIZES = _sizes(INPUTS)
WITNESS_SIZES = _sizes(WITNESSES)
OUTPUT_SIZES = _sizes(OUTPUTS)


@dataclass(frozen=True, eq=False)
class Transactions:
    """Serialised transactions and where things are in them.

    Attributes:
        body: All bytes, one transaction after the other; previous txids may still be changed.
        starts: int64[n], where each begins.
        witnesses: int64[n], where its witness begins.
        ends: int64[n], where it ends.
        segwit: bool[n], whether it has marker, flag and witness.
        prevouts: int64[m], where the previous txid of every input is.
        spenders: int64[m], the transaction that each input belongs to.
    """

    body: bytearray
    starts: Integers
    witnesses: Integers
    ends: Integers
    segwit: NDArray[np.bool_]
    prevouts: Integers
    spenders: Integers


def serialise(stream: RandomStream, shape: Shapes, values: Integers) -> Transactions:
    """Return transactions of these shapes whose outputs hold `values` satoshis.

    Keys, hashes, signatures and previous txids are random bytes.
    """
    input_sizes = INPUT_SIZES[shape.input_kinds]
    output_sizes = OUTPUT_SIZES[shape.output_kinds]
    witness_sizes = _witness_sizes(shape)
    segwit = shape.segwit.astype(np.int64)
    # Counts of inputs and outputs stay below 0xfd, so each takes one byte.
    input_counts = 4 + 2 * segwit
    output_counts = input_counts + 1 + _sum_by(input_sizes, shape.inputs)
    witness_starts = output_counts + 1 + _sum_by(output_sizes, shape.outputs)
    lock_times = witness_starts + _sum_by(witness_sizes, shape.inputs)
    ends = np.cumsum(lock_times + 4)
    starts = ends - lock_times - 4

    body = bytearray(stream.octets(int(ends[-1]) if len(ends) else 0))
    octets = np.frombuffer(body, np.uint8)
    prevouts = _offsets(starts + input_counts + 1, shape.inputs, input_sizes)
    _stamp(octets, VERSION_SEGWIT, starts[shape.segwit])
    _stamp(octets, VERSION, starts[~shape.segwit])
    octets[starts + input_counts] = shape.inputs
    octets[starts + output_counts] = shape.outputs
    _stamp(octets, LOCK_TIME, ends - 4)
    _stamp_kinds(octets, INPUTS, shape.input_kinds, prevouts)
    outputs = _offsets(starts + output_counts + 1, shape.outputs, output_sizes)
    _stamp_kinds(octets, OUTPUTS, shape.output_kinds, outputs)
    octets[outputs[:, np.newaxis] + np.arange(8)] = (
        values.astype("<i8").view(np.uint8).reshape(-1, 8)
    )
    witnesses = _offsets(starts + witness_starts, shape.inputs, witness_sizes)
    _stamp_witnesses(octets, shape, witnesses)
    return Transactions(
        body=body,
        starts=starts,
        witnesses=starts + witness_starts,
        ends=ends,
        segwit=shape.segwit,
        prevouts=prevouts,
        spenders=np.repeat(np.arange(len(starts)), shape.inputs),
    )


def _witness_sizes(shape: Shapes) -> Integers:
    sizes = WITNESS_SIZES[shape.input_kinds]
    tapscript = shape.input_kinds == shapes.TAPSCRIPT
    sizes[tapscript] += shape.script_sizes[tapscript] + CONTROL_BLOCK.size
    sizes[~np.repeat(shape.segwit, shape.inputs)] = 0
    return sizes


def _stamp_witnesses(octets: Octets, shape: Shapes, offsets: Integers) -> None:
    has_witness = np.repeat(shape.segwit, shape.inputs)
    _stamp_kinds(octets, WITNESSES, shape.input_kinds[has_witness], offsets[has_witness])
    tapscript = shape.input_kinds == shapes.TAPSCRIPT
    sizes = shape.script_sizes[tapscript]
    behind = offsets[tapscript] + WITNESSES[shapes.TAPSCRIPT].size
    octets[behind - 2] = sizes & 0xFF
    octets[behind - 1] = sizes >> 8
    _stamp(octets, CONTROL_BLOCK, behind + sizes)


def _stamp_kinds(
    octets: Octets, pieces: dict[int, Piece], kinds: Integers, offsets: Integers
) -> None:
    for kind, piece in pieces.items():
        _stamp(octets, piece, offsets[kinds == kind])


def _stamp(octets: Octets, piece: Piece, offsets: Integers) -> None:
    """Write the fixed bytes of `piece` at each of `offsets`."""
    octets[offsets[:, np.newaxis] + piece.places] = piece.fixed


def _sum_by(sizes: Integers, counts: Integers) -> Integers:
    """Return the sums of `sizes` over groups of `counts`."""
    sums: Integers = np.concatenate([[0], np.cumsum(sizes)])
    ends = np.cumsum(counts)
    groups: Integers = sums[ends] - sums[ends - counts]
    return groups


def _offsets(begins: Integers, counts: Integers, sizes: Integers) -> Integers:
    """Return where each thing is, when groups of `counts` begin at `begins`."""
    within = first_of(sizes)
    groups = np.concatenate([within, [0]])[first_of(counts)]
    return np.repeat(begins - groups, counts) + within
