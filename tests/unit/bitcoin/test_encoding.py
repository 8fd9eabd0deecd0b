import pytest

from utxoracle.bitcoin.encoding import (
    compact_size,
    double_sha256,
    hash_to_hex,
    height_push,
    hex_to_hash,
)

GENESIS = "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f"
GENESIS_HEADER = bytes.fromhex(
    "01000000" + "00" * 32 + "3ba3edfd7a7b12b27ac72c3e67768f617fc81bc3888a51323a9fb8aa4b1e5e4a"
    "29ab5f49" + "ffff001d" + "1dac2b7c"
)


def test_the_genesis_header_hashes_to_the_genesis_hash():
    assert hash_to_hex(double_sha256(GENESIS_HEADER)) == GENESIS


def test_a_hash_survives_the_way_to_hex_and_back():
    assert hash_to_hex(hex_to_hash(GENESIS)) == GENESIS
    assert hex_to_hash(GENESIS)[-5:] == bytes(5)


@pytest.mark.parametrize("text", ["", "00", GENESIS + "00", GENESIS[1:], "g" * 64])
def test_what_isnt_64_hex_digits_is_no_hash(text):
    with pytest.raises(ValueError, match="hex"):
        hex_to_hash(text)


@pytest.mark.parametrize(
    ("value", "encoded"),
    [
        (0, "00"),
        (0xFC, "fc"),
        (0xFD, "fdfd00"),
        (0xFFFF, "fdffff"),
        (0x10000, "fe00000100"),
        (0xFFFFFFFF, "feffffffff"),
        (0x100000000, "ff0000000001000000"),
        (2**64 - 1, "ff" + "ff" * 8),
    ],
)
def test_a_compact_size_takes_its_shortest_form(value, encoded):
    assert compact_size(value).hex() == encoded


@pytest.mark.parametrize(
    ("height", "push"),
    [
        (0, "00"),
        (1, "51"),
        (16, "60"),
        (17, "0111"),
        (127, "017f"),
        (128, "028000"),
        (255, "02ff00"),
        (256, "020001"),
        (32_767, "02ff7f"),
        (32_768, "03008000"),
        (227_931, "035b7a03"),
        (840_000, "0340d10c"),
        (8_388_607, "03ffff7f"),
        (8_388_608, "0400008000"),
    ],
)
def test_a_height_is_pushed_as_bitcoin_core_does(height, push):
    assert height_push(height).hex() == push
