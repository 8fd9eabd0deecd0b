"""Bytes that chance made: a block verifies or is refused, nothing else."""

from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.builders import Input, Output, Transaction, build_block, pay, some_txid
from tests.real_blocks import MISSING, real_blocks
from utxoracle.bitcoin.encoding import double_sha256, hash_to_hex
from utxoracle.bitcoin.network import MAIN, REGTEST, Network
from utxoracle.bitcoin.scan import hash_transactions, scan_block
from utxoracle.bitcoin.walk import walk
from utxoracle.errors import BlockCorrupt

SMALL = 60_000


@st.composite
def mutations(draw, originals):
    """Return an original and a copy of it with a few slices changed."""
    original = draw(originals)
    changed = original
    for _ in range(draw(st.integers(0, 4))):
        start = draw(st.integers(0, len(changed)))
        end = min(len(changed), start + draw(st.sampled_from([0, 1, 2, 4, 9, 36, 300, 5000])))
        piece = changed[start:end]
        kind = draw(st.sampled_from(["flip", "delete", "insert", "repeat", "count"]))
        replacement = {
            "flip": bytes(byte ^ 1 << start % 8 for byte in piece),
            "delete": b"",
            "insert": draw(st.binary(max_size=40)) + piece,
            "repeat": piece + piece,
            "count": draw(st.sampled_from([b"\xfd", b"\xfe", b"\xff" * 9, b"\x00"])) + piece,
        }[kind]
        changed = changed[:start] + replacement + changed[end:]
    return original, changed


@cache
def built() -> list[bytes]:
    segwit = Transaction(
        (Input(some_txid(1), witness=(b"sig" * 24, b"key" * 11)), Input(some_txid(2))),
        (Output(7000), Output(8000, b"\x51" * 300)),
    )
    many = pay(*range(260), number=3)
    return [
        build_block().raw,
        build_block(pay(1500, 2500)).raw,
        build_block(pay(1500, 2500, number=1), segwit, many, pay(9, number=2)).raw,
    ]


def walk_or_refuse(raw: bytes) -> None:
    """Walk bytes of any kind; whatever passes is laid out in order and can be hashed."""
    try:
        layout = walk(raw)
    except BlockCorrupt:
        return
    assert layout.starts[1:] == layout.ends[:-1]
    assert not layout.ends or layout.ends[-1] == len(raw)
    assert len(hash_transactions(raw, layout)) == len(layout.ends)


def verify_or_refuse(original: bytes, changed: bytes, height: int, network: Network) -> None:
    """Scan under the original's hash: only the original itself may pass."""
    expected = hash_to_hex(double_sha256(original[:80]))
    try:
        scan = scan_block(changed, expected_hash=expected, height=height, network=network)
    except BlockCorrupt:
        assert changed != original
    else:
        assert changed == original
        assert scan.size == len(original)


@given(st.binary(max_size=400))
def test_random_bytes_are_refused(raw):
    walk_or_refuse(bytes(80) + raw)
    with pytest.raises(BlockCorrupt):
        scan_block(raw, expected_hash="00" * 32, height=100, network=REGTEST)


@given(st.binary(max_size=200))
def test_random_bytes_behind_their_own_hash_are_refused(tail):
    raw = built()[1][:80] + tail
    with pytest.raises(BlockCorrupt):
        scan_block(raw, expected_hash=build_hash(raw), height=100, network=REGTEST)


def build_hash(raw: bytes) -> str:
    return hash_to_hex(double_sha256(raw[:80]))


@given(st.lists(st.sampled_from([b"\x00", b"\x01", b"\x02", b"\xfd", b"\xff", bytes(36)])))
def test_bytes_that_look_like_counts_are_walked_or_refused(pieces):
    walk_or_refuse(bytes(80) + b"".join(pieces))


@given(mutations(st.sampled_from(built())))
def test_a_mutated_block_is_refused(mutation):
    original, changed = mutation
    walk_or_refuse(changed)
    verify_or_refuse(original, changed, 100, REGTEST)


@cache
def small_real_blocks() -> dict[bytes, int]:
    return {block.path.read_bytes(): block.height for block in real_blocks() if block.size < SMALL}


@pytest.mark.skipif(not small_real_blocks(), reason=MISSING)
@given(st.data())
def test_a_mutated_real_block_is_refused(data):
    originals = st.sampled_from(sorted(small_real_blocks(), key=len))
    original, changed = data.draw(mutations(originals).filter(lambda pair: len(pair[1]) < 2**20))
    walk_or_refuse(changed)
    verify_or_refuse(original, changed, small_real_blocks()[original], MAIN)
