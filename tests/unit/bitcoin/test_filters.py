"""The filters of the walk that need one transaction only."""

from dataclasses import replace

import pytest

from tests.builders import OP_RETURN, Input, Output, Transaction, build_block, pay, some_txid
from utxoracle.bitcoin.encoding import NULL_HASH

VALUES = (20_000, 30_000)


def is_candidate(transaction: Transaction) -> bool:
    """Tell whether the transaction passes between two that do."""
    before, after = pay(*VALUES, number=1), pay(*VALUES, number=2)
    candidates = build_block(before, transaction, after).scan().candidates.tolist()
    assert candidates in ([1, 2, 3], [1, 3])
    return 2 in candidates


def spending(*inputs: Input, outputs: tuple[Output, ...] | None = None) -> Transaction:
    return Transaction(inputs, outputs or (Output(VALUES[0]), Output(VALUES[1])))


@pytest.mark.parametrize(("inputs", "passes"), [(1, True), (5, True), (6, False), (300, False)])
def test_up_to_five_inputs_pass(inputs, passes):
    assert is_candidate(spending(*(Input(some_txid(n)) for n in range(inputs)))) is passes


def test_a_transaction_without_inputs_passes_because_no_rule_says_otherwise():
    nothing = Transaction((), (Output(VALUES[0]), Output(VALUES[1])), force_segwit=True)
    assert is_candidate(nothing)


@pytest.mark.parametrize(
    ("outputs", "passes"), [(0, False), (1, False), (2, True), (3, False), (300, False)]
)
def test_exactly_two_outputs_pass(outputs, passes):
    assert is_candidate(pay(*range(5000, 5000 + outputs), number=3)) is passes


def test_outputs_of_no_value_are_counted():
    assert is_candidate(pay(0, 0, number=3))
    assert not is_candidate(pay(5000, 6000, 0, number=3))


@pytest.mark.parametrize("value", [0, 1, 50_000])
@pytest.mark.parametrize("position", [0, 1])
@pytest.mark.parametrize("script", [OP_RETURN, OP_RETURN + b"\x04data"])
def test_an_op_return_output_of_any_value_is_dropped(value, position, script):
    outputs = [Output(VALUES[0]), Output(VALUES[1])]
    outputs[position] = Output(value, script)
    assert not is_candidate(spending(Input(), outputs=tuple(outputs)))


@pytest.mark.parametrize("script", [b"", b"\x51\x6a", b"\x01\x6a", b"\x00\x6a\x6a", b"\x6b"])
def test_op_return_counts_only_at_the_beginning_of_a_script(script):
    assert is_candidate(spending(Input(), outputs=(Output(VALUES[0], script), Output(VALUES[1]))))


def test_an_empty_script_before_the_byte_of_op_return_is_no_op_return():
    # The second value begins with the byte 0x6a, right behind the empty first script.
    outputs = (Output(VALUES[0], b""), Output(0x6A, b""))
    assert is_candidate(spending(Input(), outputs=outputs))
    last = replace(spending(Input(), outputs=(Output(VALUES[0]), Output(1, b""))), lock_time=0x6A)
    assert is_candidate(last)


def test_op_return_behind_a_long_script_length_is_found():
    outputs = (Output(VALUES[0], OP_RETURN + b"\x00" * 300), Output(VALUES[1]))
    assert not is_candidate(spending(Input(), outputs=outputs))


def test_a_later_transaction_that_spends_nothing_is_dropped():
    assert not is_candidate(spending(Input(NULL_HASH, 0xFFFFFFFF)))
    assert not is_candidate(spending(Input(), Input(NULL_HASH, 0xFFFFFFFF)))


@pytest.mark.parametrize("index", [0, 1, 0xFFFFFFFE])
def test_a_null_txid_with_another_index_makes_no_coinbase(index):
    assert is_candidate(spending(Input(NULL_HASH, index)))


def test_the_last_index_of_a_real_txid_makes_no_coinbase():
    assert is_candidate(spending(Input(some_txid(1), 0xFFFFFFFF)))


@pytest.mark.parametrize(
    ("sizes", "passes"),
    [
        ([500], True),
        ([501], False),
        ([0, 500, 0], True),
        ([250, 250], True),
        ([250, 251], False),
        ([1] * 500, True),
        ([1] * 501, False),
        ([0] * 600, True),
        ([253, 247], True),
        ([253, 248], False),
        ([501, 1], False),
        ([1, 70_000], False),
    ],
)
def test_a_witness_of_up_to_500_bytes_passes(sizes, passes):
    witness = tuple(b"w" * size for size in sizes)
    assert is_candidate(spending(Input(witness=witness))) is passes
    assert is_candidate(spending(Input(some_txid(1)), Input(witness=witness))) is passes


def test_each_input_has_500_bytes_of_its_own():
    full = (b"a" * 300, b"b" * 200)
    assert is_candidate(spending(*(Input(some_txid(n), witness=full) for n in range(5))))
    over = (b"a" * 300, b"b" * 201)
    for position in range(3):
        inputs = [Input(some_txid(n), witness=full) for n in range(3)]
        inputs[position] = replace(inputs[position], witness=over)
        assert not is_candidate(spending(*inputs))


@pytest.mark.parametrize("size", [500, 501, 10_000])
def test_the_script_of_an_input_has_no_limit(size):
    assert is_candidate(spending(Input(script=b"\x51" * size)))


@pytest.mark.parametrize(
    "script", [b"\x51\x20" + b"k" * 32, b"\x76\xa9\x14" + b"h" * 20 + b"\x88\xac", b"\x51"]
)
def test_the_type_of_a_script_does_not_matter(script):
    outputs = (Output(VALUES[0], script), Output(VALUES[1], script))
    assert is_candidate(spending(Input(), outputs=outputs))
