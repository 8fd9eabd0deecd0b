"""How the transactions of a block are built: how many inputs and outputs, of which kinds."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from utxoracle.simulation.payments import CHANGE, DUST, NOTHING, PAYMENT
from utxoracle.simulation.stream import Floats, Integers, RandomStream

PAY, SWEEP, BATCH, CONSOLIDATION, DATA, TOKEN, INSCRIPTION = range(7)
KIND_WEIGHTS = np.array([70, 10, 4, 2, 6, 4, 4], np.float64)

MOST_INPUTS = 60
MOST_OUTPUTS = 80
INPUT_COUNTS = np.array([1, 2, 3, 4, 5, 6, 8], np.int64)
INPUT_COUNT_WEIGHTS = np.array([66, 20, 6, 3, 2, 2, 1], np.float64)

# One output, at a random place among the others, is for this …
SPECIAL_ROLES = np.array([CHANGE, CHANGE, CHANGE, CHANGE, NOTHING, DUST, DUST], np.int64)
# … and the others are for that.
OTHER_ROLES = np.array([PAYMENT, PAYMENT, PAYMENT, CHANGE, CHANGE, CHANGE, CHANGE], np.int64)

LEGACY, NESTED, KEY_HASH, SCRIPT_HASH, TAPROOT, TAPSCRIPT, COIN_INPUT = range(7)
"""What an input spends: P2PKH, P2WPKH in P2SH, P2WPKH, P2WSH, P2TR by key, P2TR by a script, and
a P2WSH that anyone may spend, which is never drawn but put in place of the others."""

INPUT_WEIGHTS = np.array([14, 8, 52, 4, 22], np.float64)
MIXED_INPUTS = 0.05

P2PKH, P2SH, P2WPKH, P2WSH, P2TR, OP_RETURN, COIN_OUTPUT = range(7)
OUTPUT_WEIGHTS = np.array([14, 14, 46, 4, 22], np.float64)

SMALLEST_SCRIPT = 404
LARGEST_SCRIPT = 3_000
"""Bytes of an inscription's script; with signature and control block it passes 500 for certain."""


@dataclass(frozen=True, eq=False)
class Shapes:
    """The transactions of a block but for their bytes, without the coinbase.

    Attributes:
        inputs: int64[n], each transaction's number of inputs.
        outputs: int64[n], each transaction's number of outputs.
        input_kinds: int64[sum of inputs], LEGACY … COIN_INPUT, transaction after transaction.
        script_sizes: int64[sum of inputs], bytes of the script that a TAPSCRIPT input reveals.
        output_kinds: int64[sum of outputs], P2PKH … COIN_OUTPUT.
        roles: int64[sum of outputs], PAYMENT … NOTHING.
        segwit: bool[n], whether any input has a witness.
    """

    inputs: Integers
    outputs: Integers
    input_kinds: Integers
    script_sizes: Integers
    output_kinds: Integers
    roles: Integers
    segwit: NDArray[np.bool_]


def first_of(counts: Integers) -> Integers:
    """Return the position at which each group begins when groups of `counts` follow each other."""
    return np.cumsum(counts) - counts


def draw_shapes(stream: RandomStream, mean: int) -> Shapes:
    """Return the shapes of about `mean` transactions (between 90 and 110 % of it)."""
    count = round(mean * (0.9 + 0.2 * float(stream.uniform(1)[0])))
    kinds = stream.choice(count, KIND_WEIGHTS)
    inputs, outputs = _draw_counts(stream, kinds)
    input_kinds = _draw_input_kinds(stream, kinds, inputs)
    roles = _roles(kinds, outputs, stream.uniform(count))
    output_kinds = stream.choice(len(roles), OUTPUT_WEIGHTS)
    output_kinds[roles == NOTHING] = OP_RETURN
    size = SMALLEST_SCRIPT + (LARGEST_SCRIPT - SMALLEST_SCRIPT) * _mostly_small(stream, len(inputs))
    with_witness = np.concatenate([[0], np.cumsum(input_kinds != LEGACY)])
    ends = np.cumsum(inputs)
    return Shapes(
        inputs=inputs,
        outputs=outputs,
        input_kinds=input_kinds,
        script_sizes=np.repeat(size.astype(np.int64), inputs),
        output_kinds=output_kinds,
        roles=roles,
        segwit=with_witness[ends] > with_witness[ends - inputs],
    )


def _draw_counts(stream: RandomStream, kinds: Integers) -> tuple[Integers, Integers]:
    count = len(kinds)
    inputs = INPUT_COUNTS[stream.choice(count, INPUT_COUNT_WEIGHTS)]
    many = (6 + (MOST_INPUTS - 5) * _mostly_small(stream, count)).astype(np.int64)
    inputs = np.where(kinds == CONSOLIDATION, many, inputs)
    inputs = np.where((kinds == SWEEP) | (kinds == INSCRIPTION), 1, inputs)
    several = (3 + (MOST_OUTPUTS - 2) * _mostly_small(stream, count)).astype(np.int64)
    outputs = np.where(kinds == BATCH, several, 2)
    outputs = np.where((kinds == SWEEP) | (kinds == CONSOLIDATION), 1, outputs)
    return inputs, outputs


def _mostly_small(stream: RandomStream, count: int) -> Floats:
    uniform = stream.uniform(count)
    return uniform * uniform * uniform


def _draw_input_kinds(stream: RandomStream, kinds: Integers, inputs: Integers) -> Integers:
    """Return what each input spends: within a transaction mostly the same."""
    usual = np.repeat(stream.choice(len(kinds), INPUT_WEIGHTS), inputs)
    total = len(usual)
    own = stream.uniform(total) < MIXED_INPUTS
    drawn = np.where(own, stream.choice(total, INPUT_WEIGHTS), usual)
    return np.where(np.repeat(kinds == INSCRIPTION, inputs), TAPSCRIPT, drawn)


def _roles(kinds: Integers, outputs: Integers, place: Floats) -> Integers:
    roles = np.repeat(OTHER_ROLES[kinds], outputs)
    roles[first_of(outputs) + (place * outputs).astype(np.int64)] = SPECIAL_ROLES[kinds]
    return roles
