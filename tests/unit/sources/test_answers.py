import pytest

from utxoracle.errors import BlockCorrupt, SourceError
from utxoracle.sources.answers import (
    asked_twice,
    checked_hash,
    checked_header,
    checked_height,
    checked_hex,
)

HASH = "ab" * 32


def test_a_hash_is_64_lower_case_hex_digits():
    assert checked_hash(HASH, "x") == HASH
    for wrong in ("", HASH[1:], HASH + "a", HASH.upper(), HASH + "\n", None, 7, [HASH]):
        with pytest.raises(SourceError, match=r"x gave .* where a block hash belongs"):
            checked_hash(wrong, "x")


def test_a_height_is_a_whole_number_from_0_on():
    assert checked_height(0, "x") == 0
    for wrong in (-1, 1.5, "7", None, True):
        with pytest.raises(SourceError, match=r"x gave .* where a block height belongs"):
            checked_height(wrong, "x")


def test_hex_digits_are_read():
    assert checked_hex("00ff", "x") == b"\x00\xff"
    for wrong in ("0", "zz", None, 7):
        with pytest.raises(SourceError, match=r"x gave .* where hex digits belong"):
            checked_hex(wrong, "x")


def test_a_long_wrong_value_is_shown_by_its_beginning():
    with pytest.raises(SourceError) as caught:
        checked_hash("z" * 10_000, "x")
    assert len(str(caught.value)) < 200


def test_a_header_must_hash_to_the_hash_that_was_asked_for(chain):
    block_hash, header = chain.hash_at(800), chain.header(800)
    assert checked_header(header, block_hash, "x") == header
    with pytest.raises(BlockCorrupt, match=f"x gave a header for block {HASH} that hashes to"):
        checked_header(header, HASH, "x")
    for wrong in (b"", header[:79], header + b"\x00"):
        with pytest.raises(BlockCorrupt, match="which has 80"):
            checked_header(wrong, block_hash, "x")


def test_what_is_corrupt_is_asked_for_once_more(chain):
    block_hash, header = chain.hash_at(800), chain.header(800)
    flipped = bytes([header[0] ^ 1]) + header[1:]
    for answers, wanted in (([header], header), ([flipped, header], header)):
        assert asked_twice(lambda a=answers: checked_header(a.pop(0), block_hash, "x")) == wanted
        assert answers == []
    answers = [flipped, flipped, header]
    with pytest.raises(BlockCorrupt, match="that hashes to"):
        asked_twice(lambda: checked_header(answers.pop(0), block_hash, "x"))
    assert answers == [header]


def test_what_fails_in_another_way_is_not_asked_for_again():
    answers = ["zz", "00"]
    with pytest.raises(SourceError):
        asked_twice(lambda: checked_hex(answers.pop(0), "x"))
    assert answers == ["00"]
