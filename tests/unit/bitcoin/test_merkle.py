from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from utxoracle.bitcoin.merkle import merkle_root
from utxoracle.errors import BlockCorrupt


def leaf(number: int) -> bytes:
    return sha256(number.to_bytes(4, "big")).digest()


def node(one: bytes, other: bytes) -> bytes:
    return sha256(sha256(one + other).digest()).digest()


def plain_root(leaves: list[bytes]) -> bytes:
    """Return the root without any check, by recursion over halves of a completed tree."""
    if len(leaves) == 1:
        return leaves[0]
    if len(leaves) % 2:
        leaves = [*leaves, leaves[-1]]
    pairs = [node(leaves[i], leaves[i + 1]) for i in range(0, len(leaves), 2)]
    return plain_root(pairs)


def test_one_leaf_is_its_own_root():
    assert merkle_root([leaf(1)]) == leaf(1)


def test_an_odd_level_repeats_its_last_hash():
    a, b, c = leaf(1), leaf(2), leaf(3)
    assert merkle_root([a, b, c]) == node(node(a, b), node(c, c))


def test_no_leaf_has_no_root():
    with pytest.raises(BlockCorrupt, match="at least one"):
        merkle_root([])


@given(st.integers(1, 70))
def test_any_number_of_different_leaves_has_the_plain_root(count):
    leaves = [leaf(number) for number in range(count)]
    assert merkle_root(leaves) == plain_root(leaves)
    assert leaves == [leaf(number) for number in range(count)]


@pytest.mark.parametrize(
    ("count", "repeated"), [(3, 1), (9, 1), (5, 1), (6, 2), (7, 1), (12, 4), (24, 8), (40, 8)]
)
def test_a_repeated_end_that_keeps_the_root_is_refused(count, repeated):
    leaves = [leaf(number) for number in range(count)]
    forged = leaves + leaves[-repeated:]
    assert plain_root(forged) == plain_root(leaves)
    level = repeated.bit_length() - 1
    with pytest.raises(BlockCorrupt, match=rf"equal at level {level} .*CVE-2012-2459"):
        merkle_root(forged)


def test_equal_neighbours_in_the_middle_are_refused_too():
    leaves = [leaf(0), leaf(1), leaf(2), leaf(2), leaf(4), leaf(5)]
    with pytest.raises(BlockCorrupt, match="hashes 2 and 3 are equal at level 0"):
        merkle_root(leaves)


def test_equal_leaves_that_are_no_pair_are_allowed():
    leaves = [leaf(0), leaf(1), leaf(1), leaf(2)]
    assert merkle_root(leaves) == plain_root(leaves)
