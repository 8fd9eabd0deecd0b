from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.builders import Block, Input, Output, Transaction, build_block, pay, some_txid
from tests.chains import some_chain
from tests.reference import method
from utxoracle.bitcoin.encoding import NULL_HASH
from utxoracle.bitcoin.scan import BlockScan
from utxoracle.price.window import NO_PARENT, gather, parent_heights

VALUES = (20_000, 30_000)


def child_of(*parents: Transaction, number: int = 0) -> Transaction:
    inputs = tuple(Input(parent.txid) for parent in parents)
    return Transaction(inputs, tuple(Output(value) for value in VALUES), number)


def scans_of(*blocks: Block) -> list[BlockScan]:
    return [block.scan() for block in blocks]


def parents_of(*blocks: Block) -> list[list[int]]:
    return [heights.tolist() for heights in parent_heights(scans_of(*blocks))]


def kept_positions(blocks: list[Block], first: int) -> list[list[int]]:
    """Return the positions of the candidates that count in the window from `first` on."""
    scans = scans_of(*blocks)
    parents = parent_heights(scans)
    inside = [pair for pair in zip(scans, parents, strict=True) if pair[0].height >= first]
    window = gather(*map(list, zip(*inside, strict=True)))
    kept = [scan.candidates[heights < first].tolist() for scan, heights in inside]
    assert window.tx_count == sum(map(len, kept))
    return kept


def amounts_of(*values: int) -> list[float]:
    scans = scans_of(build_block(pay(*values)))
    return gather(scans, parent_heights(scans)).amounts.tolist()


# The same-window test.


def test_a_spend_of_an_outside_output_has_no_parent():
    assert parents_of(build_block(pay(*VALUES))) == [[NO_PARENT]]
    assert NO_PARENT == -1


def test_a_parent_in_an_earlier_block_is_found():
    parent = pay(*VALUES, number=1)
    blocks = [
        build_block(parent, height=100),
        build_block(height=101),
        build_block(child_of(parent), height=102),
    ]
    assert parents_of(*blocks) == [[-1], [], [100]]


def test_a_spend_counts_in_every_window_that_starts_behind_its_parent():
    parent = pay(*VALUES, number=1)
    blocks = [build_block(parent, height=100), build_block(child_of(parent), height=101)]
    assert kept_positions(blocks, 100) == [[1], []]
    # One block before the window is not in it.
    assert kept_positions(blocks, 101) == [[1]]
    assert method.collect_amounts([blocks[0].raw, blocks[1].raw]).tx_count == 1
    assert method.collect_amounts([blocks[1].raw]).tx_count == 1


def test_the_newest_parent_decides():
    old, new = pay(*VALUES, number=1), pay(*VALUES, number=2)
    for parents in ((old, new), (new, old)):
        blocks = [
            build_block(old, height=100),
            build_block(new, height=101),
            build_block(child_of(*parents), height=102),
        ]
        assert parents_of(*blocks)[2] == [101]
        assert kept_positions(blocks, 101) == [[1], []]
        assert kept_positions(blocks, 102) == [[1]]


def test_a_parent_in_the_own_block_counts():
    parent = pay(*VALUES, number=1)
    assert parents_of(build_block(parent, child_of(parent), height=100)) == [[-1, 100]]


def test_a_parent_behind_its_child_in_the_own_block_does_not_count():
    parent = pay(*VALUES, number=1)
    block = build_block(child_of(parent), parent, height=100)
    assert parents_of(block) == [[-1, -1]]
    assert method.collect_amounts([block.raw]).tx_count == 2


def test_a_parent_in_a_later_block_does_not_count():
    parent = pay(*VALUES, number=1)
    blocks = [build_block(child_of(parent), height=100), build_block(parent, height=101)]
    assert parents_of(*blocks) == [[-1], [-1]]


def test_a_parent_before_and_behind_its_child_counts_where_it_stood_before():
    parent = pay(*VALUES, number=1)
    blocks = [
        build_block(parent, height=100),
        build_block(child_of(parent), parent, height=101),
        build_block(parent, height=102),
    ]
    assert parents_of(*blocks) == [[-1], [100, -1], [-1]]


def test_a_parent_that_is_there_twice_counts_at_the_later_place():
    parent = pay(*VALUES, number=1)
    blocks = [
        build_block(parent, height=100),
        build_block(parent, height=101),
        build_block(child_of(parent), height=102),
    ]
    assert parents_of(*blocks) == [[-1], [-1], [101]]


NOT_CANDIDATES = {
    "three outputs": pay(1, 2, 3, number=5),
    "one output": pay(1, number=5),
    "op_return": replace(pay(1, number=5), outputs=(Output(1), Output(0, b"\x6a"))),
    "six inputs": Transaction(tuple(Input(some_txid(n)) for n in range(6))),
    "a big witness": Transaction((Input(witness=(b"w" * 501,)),)),
    "no amount that counts": pay(0, 10**15, number=5),
}


@pytest.mark.parametrize("kind", NOT_CANDIDATES)
def test_a_transaction_that_the_filters_drop_is_a_parent_all_the_same(kind):
    parent = NOT_CANDIDATES[kind]
    blocks = [build_block(parent, height=100), build_block(child_of(parent), height=101)]
    assert parents_of(*blocks)[1] == [100]
    assert method.collect_amounts([blocks[0].raw, blocks[1].raw]).btc == []


def test_a_coinbase_is_a_parent():
    first = build_block(height=100)
    child = child_of(first.transactions[0])
    assert parents_of(first, build_block(child, height=101)) == [[], [100]]
    assert parents_of(build_block(child_of(build_block().transactions[0]), height=100)) == [[100]]


def test_a_same_window_spend_is_a_parent_itself():
    parent = pay(*VALUES, number=1)
    child = child_of(parent)
    grandchild = child_of(child, number=1)
    blocks = [
        build_block(parent, height=100),
        build_block(child, height=101),
        build_block(grandchild, height=102),
    ]
    assert parents_of(*blocks) == [[-1], [100], [101]]
    assert kept_positions(blocks, 101) == [[1], []]


def test_one_known_parent_among_five_inputs_is_enough():
    parent = pay(*VALUES, number=1)
    for place in range(5):
        inputs = [Input(some_txid(n)) for n in range(5)]
        inputs[place] = Input(parent.txid, 7)
        child = Transaction(tuple(inputs))
        assert parents_of(build_block(parent, height=9), build_block(child, height=10))[1] == [9]


def test_candidates_without_inputs_have_no_parent_and_count():
    parent = pay(*VALUES, number=1)
    nothing = [
        Transaction((), (Output(20_000 + n), Output(30_000)), force_segwit=True) for n in range(2)
    ]
    block = build_block(nothing[0], parent, child_of(parent), nothing[1], height=7)
    assert parents_of(block) == [[-1, -1, 7, -1]]
    assert parents_of(build_block(*nothing, height=7)) == [[-1, -1]]


def test_a_null_txid_is_nobodys_parent():
    child = Transaction((Input(NULL_HASH, 0),))
    assert parents_of(build_block(height=100), build_block(child, height=101)) == [[], [-1]]


def test_no_scans_have_no_parents():
    assert parent_heights([]) == []


# The amounts.


@pytest.mark.parametrize(
    ("values", "amounts"),
    [
        ((1000, 1001), [0.00001001]),
        ((1001, 1000), [0.00001001]),
        ((1000, 1000), []),
        ((999, 0), []),
        ((10**13, 10**13 - 1), [99_999.99999999]),
        ((10**13 + 1, 20_000), [0.0002]),
        ((2**64 - 1, 2**63), []),
        ((20_000, 30_000), [0.0002, 0.0003]),
        ((30_000, 20_000), [0.0003, 0.0002]),
        ((20_000, 20_000), [0.0002, 0.0002]),
    ],
)
def test_the_two_outputs_are_judged_one_by_one(values, amounts):
    assert amounts_of(*values) == amounts
    assert method.collect_amounts([build_block(pay(*values)).raw]).btc == amounts


def test_amounts_come_in_the_order_of_the_chain_with_their_heights():
    blocks = [
        build_block(pay(5001, 5002, number=1), pay(5003, 1000, number=2), height=100),
        build_block(height=101),
        build_block(pay(1000, 5004, number=3), height=102),
    ]
    scans = scans_of(*blocks)
    window = gather(scans, parent_heights(scans))
    assert window.amounts.tolist() == [0.00005001, 0.00005002, 0.00005003, 0.00005004]
    assert window.heights.tolist() == [100, 100, 100, 102]
    assert (window.amounts.dtype, window.heights.dtype) == (np.float64, np.int64)
    assert (window.first_height, window.last_height, window.blocks) == (100, 102, 3)
    assert window.tx_count == 3


def test_a_transaction_without_an_amount_that_counts_has_passed_all_the_same():
    scans = scans_of(build_block(pay(1000, 0)))
    window = gather(scans, parent_heights(scans))
    assert (window.tx_count, len(window.amounts)) == (1, 0)


def test_a_window_of_empty_blocks_holds_nothing():
    scans = scans_of(build_block(height=1), build_block(height=2))
    window = gather(scans, parent_heights(scans))
    assert (window.tx_count, window.amounts.tolist(), window.heights.tolist()) == (0, [], [])
    assert window.blocks == 2


# Any window of any chain.


@settings(max_examples=60)
@given(st.integers(0, 2**32), st.integers(1, 6), st.integers(0, 12), st.floats(15_000, 400_000))
def test_every_window_of_a_chain_equals_the_reference(seed, blocks, transactions, price):
    chain = some_chain(seed, blocks=blocks, transactions=transactions, price=price)
    scans = scans_of(*chain)
    parents = parent_heights(scans)
    for start in range(blocks):
        for end in range(start + 1, blocks + 1):
            window = gather(scans[start:end], parents[start:end])
            expected = method.collect_amounts([block.raw for block in chain[start:end]])
            first = chain[start].height
            assert window.amounts.tolist() == expected.btc
            assert window.heights.tolist() == [first + index for index in expected.blocks]
            assert window.tx_count == expected.tx_count
            assert (window.first_height, window.blocks) == (first, end - start)


@given(st.integers(0, 2**32), st.integers(2, 6))
def test_parents_do_not_depend_on_later_blocks(seed, blocks):
    chain = some_chain(seed, blocks=blocks, transactions=8, price=50_000)
    scans = scans_of(*chain)
    whole = parent_heights(scans)
    for end in range(1, blocks):
        for heights, early in zip(whole, parent_heights(scans[:end]), strict=False):
            assert heights.tolist() == early.tolist()
