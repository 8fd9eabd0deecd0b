from dataclasses import replace

import pytest

from tests.builders import Block, build_block
from tests.unit.bitcoin.test_encoding import GENESIS, GENESIS_HEADER
from utxoracle.bitcoin.encoding import hash_to_hex
from utxoracle.bitcoin.header import parse_header, target_of, verify_proof_of_work
from utxoracle.bitcoin.network import MAIN, REGTEST, SIGNET
from utxoracle.errors import BlockCorrupt


def test_the_genesis_header_parses():
    header = parse_header(GENESIS_HEADER)
    assert header.hash == GENESIS == MAIN.genesis_hash
    assert header.prev_hash == "00" * 32
    assert header.merkle_root == GENESIS_HEADER[36:68]
    assert header.time == 1_231_006_505
    assert header.bits == 0x1D00FFFF
    verify_proof_of_work(header, MAIN)


def test_a_header_is_read_from_the_front_of_a_block():
    block = build_block(height=7)
    assert parse_header(block.raw) == parse_header(block.header)


@pytest.mark.parametrize("length", [0, 1, 79])
def test_a_short_header_is_refused(length):
    with pytest.raises(BlockCorrupt, match="80 bytes"):
        parse_header(GENESIS_HEADER[:length])


@pytest.mark.parametrize(
    ("bits", "target"),
    [
        (0x1D00FFFF, 0xFFFF << 208),
        (0x207FFFFF, 0x7FFFFF << 232),
        (0x1B0404CB, 0x0404CB << 192),
        (0x00123456, 0),
        (0x01003456, 0),
        (0x01123456, 0x12),
        (0x02123456, 0x1234),
        (0x03123456, 0x123456),
        (0x04123456, 0x12345600),
        (0x05009234, 0x92340000),
        (0x20123456, 0x123456 << 232),
        (0x2100FFFF, 0xFFFF << 240),
        (0x220000FF, 0xFF << 248),
    ],
)
def test_a_compact_form_gives_its_target(bits, target):
    assert target_of(bits) == target


@pytest.mark.parametrize("bits", [0x01FEDCBA, 0x04923456, 0x1D80FFFF, 0x20FFFFFF])
def test_a_negative_target_is_none(bits):
    assert target_of(bits) == 0


@pytest.mark.parametrize("bits", [0x21010000, 0x22000100, 0x23000001, 0xFF123456, 0xFF7FFFFF])
def test_an_overflowing_target_is_none(bits):
    assert target_of(bits) == 0


def test_an_easy_target_is_refused_on_main():
    header = parse_header(build_block().header)
    verify_proof_of_work(header, REGTEST)
    with pytest.raises(BlockCorrupt, match=r"easier than main allows .*UTXORACLE_NETWORK"):
        verify_proof_of_work(header, MAIN)


def test_a_target_just_easier_than_the_limit_is_refused():
    block = Block(100, build_block().transactions, bits=SIGNET.pow_limit_bits + 1)
    with pytest.raises(BlockCorrupt, match="easier than signet allows"):
        verify_proof_of_work(parse_header(block.header), SIGNET)


@pytest.mark.parametrize("bits", [0x1D00FFFF, 0x1D80FFFF, 0x00123456, 0xFF123456])
def test_a_hash_that_misses_its_target_is_refused(bits):
    block = Block(100, build_block().transactions, bits=bits)
    with pytest.raises(BlockCorrupt, match="no proof of work"):
        verify_proof_of_work(parse_header(block.header), MAIN)


def test_the_hash_on_the_target_itself_is_proof_enough():
    header = parse_header(build_block().header)
    target = target_of(header.bits)
    verify_proof_of_work(replace(header, hash=f"{target:064x}"), REGTEST)
    with pytest.raises(BlockCorrupt, match="misses its own target"):
        verify_proof_of_work(replace(header, hash=f"{target + 1:064x}"), REGTEST)


def test_the_previous_hash_is_shown_reversed():
    previous = bytes(range(32))
    header = parse_header(build_block(prev_hash=previous).header)
    assert header.prev_hash == hash_to_hex(previous)
