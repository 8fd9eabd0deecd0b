import time
import tracemalloc
from dataclasses import replace

import pytest

from tests.builders import Input, Output, Transaction, build_block, pay, some_txid
from utxoracle.bitcoin.encoding import compact_size
from utxoracle.bitcoin.walk import MAX_BLOCK_SIZE, read_compact_size, walk
from utxoracle.errors import BlockCorrupt

HEADER = bytes(80)
VERSION = b"\x02\x00\x00\x00"
LOCK_TIME = bytes(4)
INPUT = some_txid(1) + bytes(4) + b"\x00" + b"\xff" * 4
OUTPUT = (5000).to_bytes(8, "little") + b"\x00"


def one_transaction(body: bytes) -> bytes:
    return HEADER + b"\x01" + VERSION + body + LOCK_TIME


def segwit_block():
    """A small block with every kind of field in it."""
    segwit = Transaction(
        (Input(some_txid(1), 3, b"\x51", (b"sig" * 24, b"key" * 11)), Input(some_txid(2))),
        (Output(7000), Output(8000, b"")),
    )
    return build_block(pay(1500, 2500, number=1), segwit, pay(9, number=2))


def test_the_layout_says_where_each_transaction_lies():
    block = segwit_block()
    layout = walk(block.raw)
    cut = [block.raw[start:end] for start, end in zip(layout.starts, layout.ends, strict=True)]
    assert cut == [one.raw for one in block.transactions]
    assert layout.segwit == [True, False, True, False]
    assert layout.candidates == [1, 2]
    for segwit, witness, end in zip(layout.segwit, layout.witnesses, layout.ends, strict=True):
        assert (witness == end - 4) is not segwit


@pytest.mark.parametrize("block", [segwit_block(), build_block(), build_block(pay(1, 2))])
def test_a_block_cut_at_any_byte_is_refused(block):
    for length in range(len(block.raw)):
        with pytest.raises(BlockCorrupt, match="ends too early"):
            walk(block.raw[:length])
    assert walk(block.raw).ends[-1] == len(block.raw)


def test_a_block_that_ends_too_early_says_where():
    raw = segwit_block().raw
    with pytest.raises(BlockCorrupt, match=rf"after {len(raw) - 1} bytes, inside transaction 3"):
        walk(raw[:-1])


@pytest.mark.parametrize("extra", [b"\x00", b"\xff" * 100])
def test_bytes_left_over_are_refused(extra):
    with pytest.raises(BlockCorrupt, match=rf"{len(extra)} bytes are left over"):
        walk(segwit_block().raw + extra)


def test_a_count_below_the_transactions_leaves_bytes_over():
    block = replace(segwit_block(), count=b"\x03")
    with pytest.raises(BlockCorrupt, match="left over"):
        walk(block.raw)


SHAPES = {
    "transactions": lambda n: HEADER + n + VERSION + b"\x01" + INPUT + b"\x01" + OUTPUT,
    "inputs": lambda n: one_transaction(n + INPUT + b"\x01" + OUTPUT),
    "script": lambda n: one_transaction(b"\x01" + INPUT[:36] + n + INPUT[37:] + b"\x01" + OUTPUT),
    "outputs": lambda n: one_transaction(b"\x01" + INPUT + n + OUTPUT),
    "output script": lambda n: one_transaction(b"\x01" + INPUT + b"\x01" + OUTPUT[:8] + n),
    "witness items": lambda n: one_transaction(
        b"\x00\x01\x01" + INPUT + b"\x01" + OUTPUT + n + b"\x02ab"
    ),
    "witness item": lambda n: one_transaction(
        b"\x00\x01\x01" + INPUT + b"\x01" + OUTPUT + b"\x01" + n + b"ab"
    ),
}


@pytest.mark.parametrize("place", SHAPES)
@pytest.mark.parametrize("count", [0xFC, 0xFFFF, 0xFFFFFFFF, 2**63, 2**64 - 1])
def test_an_absurd_count_runs_into_the_end_at_once(place, count):
    started = time.perf_counter()
    with pytest.raises(BlockCorrupt, match="ends too early"):
        walk(SHAPES[place](compact_size(count)))
    assert time.perf_counter() - started < 10


@pytest.mark.parametrize("place", SHAPES)
@pytest.mark.parametrize(
    "count",
    [
        b"\xfd\x01\x00",
        b"\xfd\xfc\x00",
        b"\xfe\x01\x00\x00\x00",
        b"\xfe\xff\xff\x00\x00",
        b"\xff\x01" + bytes(7),
        b"\xff\xff\xff\xff\xff" + bytes(4),
    ],
)
def test_an_integer_that_isnt_in_its_shortest_form_is_refused(place, count):
    with pytest.raises(BlockCorrupt, match=r"integer at byte \d+ isn't in its shortest form"):
        walk(SHAPES[place](count))


@pytest.mark.parametrize("value", [0, 0xFC, 0xFD, 0xFFFF, 0x10000, 0xFFFFFFFF, 2**32, 2**64 - 1])
def test_a_compact_size_reads_back(value):
    encoded = compact_size(value)
    assert read_compact_size(b"ab" + encoded + b"c", 2) == (value, 2 + len(encoded))
    for length in range(len(encoded)):
        with pytest.raises(IndexError):
            read_compact_size(encoded[:length], 0)


@pytest.mark.parametrize("size", [253, 65_535, 65_536])
def test_long_scripts_and_witnesses_are_stepped_over(size):
    one = Input(some_txid(3), 0, b"\x51" * size, (b"w" * size, b"x"))
    transaction = Transaction((one,), (Output(5000, b"\x51" * size), Output(6000)))
    layout = walk(build_block(transaction, pay(7000, 8000)).raw)
    assert layout.ends[-1] - layout.starts[-1] == len(pay(7000, 8000).raw)
    assert layout.segwit == [True, True, False]


def test_hundreds_of_inputs_outputs_and_witness_items_are_counted():
    inputs = tuple(Input(some_txid(n), witness=(b"",) * 300) for n in range(260))
    many = Transaction(inputs, tuple(Output(n) for n in range(270)))
    block = build_block(many, pay(7000, 8000))
    assert [one.raw for one in block.transactions][1] == block.raw[slice(*spans(block.raw)[1])]


def spans(raw: bytes) -> list[tuple[int, int]]:
    layout = walk(raw)
    return list(zip(layout.starts, layout.ends, strict=True))


@pytest.mark.parametrize("flag", [0, 2, 255])
def test_a_marker_without_flag_1_is_refused(flag):
    body = bytes([0, flag, 1]) + INPUT + b"\x01" + OUTPUT + b"\x00"
    with pytest.raises(BlockCorrupt, match="transaction 0 has no inputs"):
        walk(one_transaction(body))


def test_more_bytes_than_a_block_can_have_are_refused():
    with pytest.raises(BlockCorrupt, match=r"4,000,001 bytes are more"):
        walk(bytes(MAX_BLOCK_SIZE + 1))


def test_a_block_of_the_greatest_size_is_walked():
    filler = build_block(pay(7000, 8000, number=1))
    room = MAX_BLOCK_SIZE - len(filler.raw) - 64
    big = Transaction((Input(some_txid(5), script=b"\x51" * room),), (Output(1),))
    short = build_block(pay(7000, 8000, number=1), big)
    pad = MAX_BLOCK_SIZE - len(short.raw)
    big = Transaction((Input(some_txid(5), script=b"\x51" * (room + pad)),), (Output(1),))
    block = build_block(pay(7000, 8000, number=1), big)
    assert len(block.raw) == MAX_BLOCK_SIZE
    assert walk(block.raw).candidates == [1]


EMPTY_TRANSACTION = VERSION + b"\x00\x01\x00\x00" + LOCK_TIME
ROOM = 1_000_000
GARBAGE = {
    "zeros": bytes(100_000_000),
    "ones": b"\xff" * 100_000_000,
    "the smallest transactions": HEADER
    + compact_size(ROOM // 12 + 1)
    + EMPTY_TRANSACTION * (ROOM // 12),
    "the smallest outputs": one_transaction(
        b"\x01" + INPUT + compact_size(ROOM // 9) + OUTPUT * (ROOM // 9 - 20)
    ),
    "the smallest inputs": one_transaction(compact_size(ROOM // 41) + INPUT * (ROOM // 41 - 4)),
    "the smallest witness items": one_transaction(
        b"\x00\x01\x01" + INPUT + b"\x01" + OUTPUT + compact_size(ROOM) + bytes(ROOM - 200)
    ),
}


@pytest.mark.parametrize("kind", GARBAGE)
def test_garbage_of_any_size_is_refused_in_bounded_time_and_memory(kind):
    raw = GARBAGE[kind]
    bound = 20 * len(raw) if len(raw) <= MAX_BLOCK_SIZE else 100_000
    started = time.perf_counter()
    tracemalloc.start()
    try:
        with pytest.raises(BlockCorrupt):
            walk(raw)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert time.perf_counter() - started < 10
    assert peak < bound
