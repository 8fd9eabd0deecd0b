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
from utxoracle.price.window import (
    FILTER_BITS,
    NO_PARENT,
    LinkedBlock,
    Window,
    gather,
    link,
)

VALUES = (20_000, 30_000)


def child_of(*parents: Transaction, number: int = 0) -> Transaction:
    inputs = tuple(Input(parent.txid) for parent in parents)
    return Transaction(inputs, tuple(Output(value) for value in VALUES), number)


def scans_of(*blocks: Block) -> list[BlockScan]:
    return [block.scan() for block in blocks]


def parents_of(*blocks: Block) -> list[list[int]]:
    return [block.parents.tolist() for block in link(scans_of(*blocks))]


def kept_positions(blocks: list[Block], first: int) -> list[list[int]]:
    """Return the positions of the candidates that count in the window from `first` on."""
    scans = scans_of(*blocks)
    pairs = zip(scans, link(scans), strict=True)
    inside = [(scan, block) for scan, block in pairs if block.height >= first]
    kept = [scan.candidates[block.parents < first].tolist() for scan, block in inside]
    assert gather([block for _, block in inside]).tx_count == sum(map(len, kept))
    return kept


def window_of(*blocks: Block) -> Window:
    return gather(link(scans_of(*blocks)))


def outputs_in_order(window: Window) -> list[tuple[int, float]]:
    """Return height and amount of the outputs that count, in the order of the chain."""
    ordered = []
    for block in window.linked:
        outputs = block.sorted_outputs
        inside = outputs.parents < window.first_height
        pairs = zip(outputs.places[inside].tolist(), outputs.amounts[inside].tolist(), strict=True)
        ordered += [(block.height, amount) for _, amount in sorted(pairs)]
    return ordered


def amounts_of(*values: int) -> list[float]:
    return [amount for _, amount in outputs_in_order(window_of(build_block(pay(*values))))]


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


def test_no_scans_have_nothing_to_link():
    assert link([]) == []
    assert link([], link(scans_of(build_block(height=100)))) == []


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


def test_outputs_know_their_places_in_the_chain():
    window = window_of(
        build_block(pay(5002, 5001, number=1), pay(5003, 1000, number=2), height=100),
        build_block(height=101),
        build_block(pay(1000, 5004, number=3), height=102),
    )
    assert outputs_in_order(window) == [
        (100, 0.00005002),
        (100, 0.00005001),
        (100, 0.00005003),
        (102, 0.00005004),
    ]
    assert window.linked[0].sorted_outputs.places.tolist() == [1, 0, 2]
    assert (window.first_height, window.last_height, window.blocks) == (100, 102, 3)
    assert (window.tx_count, window.outputs) == (3, 4)


def test_round_amounts_of_bitcoin_count_but_are_not_usable():
    window = window_of(build_block(pay(50_000, 51_234, number=1), pay(100_000, 120_000, number=2)))
    assert window.outputs == 4
    [(amounts, places)] = window.usable()
    assert (amounts.tolist(), places.tolist()) == ([0.00051234], [1])


def test_a_transaction_without_an_amount_that_counts_has_passed_all_the_same():
    window = window_of(build_block(pay(1000, 0)))
    assert (window.tx_count, window.outputs) == (1, 0)


def test_a_window_of_empty_blocks_holds_nothing():
    window = window_of(build_block(height=1), build_block(height=2))
    assert (window.tx_count, window.outputs, outputs_in_order(window)) == (0, 0, [])
    assert window.blocks == 2


def test_a_linked_block_keeps_what_identifies_it_and_counts_its_transactions():
    one = build_block(pay(*VALUES, number=1), pay(1, number=2), height=100)
    scan = one.scan()
    [block] = link([scan])
    for name in ("height", "hash", "prev_hash", "time", "size", "tx_count"):
        assert getattr(block, name) == getattr(scan, name)
    assert block.hash == one.hash
    assert (block.tx_count, block.candidates) == (3, 1)


# Any window of any chain.


def check_window(window: Window, chain: list[Block]) -> None:
    expected = method.collect_amounts([block.raw for block in chain])
    first = chain[0].height
    heights = [first + index for index in expected.blocks]
    assert outputs_in_order(window) == list(zip(heights, expected.btc, strict=True))
    assert window.counts.tolist() == method.count_amounts(expected.btc)
    assert (window.tx_count, window.outputs) == (expected.tx_count, len(expected.btc))
    assert (window.first_height, window.blocks) == (first, len(chain))
    usable = [amount for amounts, _ in window.usable() for amount in amounts.tolist()]
    assert sorted(usable) == sorted(btc for btc in expected.btc if not method.is_round(btc))


@settings(max_examples=60)
@given(st.integers(0, 2**32), st.integers(1, 6), st.integers(0, 12), st.floats(15_000, 400_000))
def test_every_window_of_a_chain_equals_the_reference(seed, blocks, transactions, price):
    chain = some_chain(seed, blocks=blocks, transactions=transactions, price=price)
    linked = link(scans_of(*chain))
    for start in range(blocks):
        for end in range(start + 1, blocks + 1):
            check_window(gather(linked[start:end]), chain[start:end])


@settings(max_examples=60)
@given(st.integers(0, 2**32), st.lists(st.tuples(st.integers(1, 4), st.integers(0, 5)), max_size=6))
def test_linking_in_pieces_equals_linking_at_once_for_every_window_inside(seed, pieces):
    """Each piece is so many new blocks, linked behind so many earlier ones."""
    blocks = sum(size for size, _ in pieces)
    chain = some_chain(seed, blocks=blocks, transactions=8, price=50_000)
    scans = scans_of(*chain)
    linked: list[LinkedBlock] = []
    known_from: list[int] = []
    for size, history in pieces:
        done = len(linked)
        known = max(done - history, 0)
        linked += link(scans[done : done + size], linked[known:done])
        known_from += [known] * size

    for block, whole, known in zip(linked, link(scans), known_from, strict=True):
        first = chain[known].height
        expected = np.where(whole.parents >= first, whole.parents, NO_PARENT)
        assert block.parents.tolist() == expected.tolist()
    for start in range(blocks):
        for end in range(start + 1, blocks + 1):
            if max(known_from[start:end]) <= start:
                check_window(gather(linked[start:end]), chain[start:end])


# Two high and two low parts: equal low bits are common, equal txids are not rare.
TXIDS = st.builds(
    lambda high, low: (high << 60) + low,
    st.sampled_from([0, 1, 2, 15]),
    st.sampled_from([0, 1, 2**FILTER_BITS - 1, 2**FILTER_BITS]),
)
DRAWN_BLOCKS = st.lists(
    st.tuples(st.lists(TXIDS, min_size=1, max_size=6), st.lists(TXIDS, max_size=6)),
    min_size=1,
    max_size=5,
)


@given(DRAWN_BLOCKS, st.integers(0, 4))
def test_txids_that_look_alike_at_first_glance_are_told_apart(drawn, earlier):
    scans = [
        one_input_scan(height, txids, spent[: len(txids)])
        for height, (txids, spent) in enumerate(drawn, 100)
    ]
    done = link(scans[:earlier])
    seen: dict[int, int] = {}
    for scan, block in zip(scans, done + link(scans[earlier:], done), strict=True):
        expected = []
        for position, txid in enumerate(scan.txids.tolist()):
            if position < len(scan.prev_txids):
                expected.append(seen.get(int(scan.prev_txids[position]), NO_PARENT))
            seen[txid] = scan.height
        assert block.parents.tolist() == expected


def one_input_scan(height: int, txids: list[int], spent: list[int]) -> BlockScan:
    """Return a scan whose first transactions are candidates that spend one txid each."""
    return replace(
        build_block(height=height).scan(),
        txids=np.array(txids, np.uint64),
        candidates=np.arange(len(spent), dtype=np.int32),
        values=np.full((len(spent), 2), VALUES, np.int64),
        prev_txids=np.array(spent, np.uint64),
        prev_offsets=np.arange(len(spent) + 1, dtype=np.int32),
    )
