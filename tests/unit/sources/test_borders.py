from calendar import timegm
from dataclasses import replace
from datetime import date

import pytest

from tests.builders import build_block
from utxoracle.bitcoin.encoding import double_sha256, hash_to_hex, hex_to_hash
from utxoracle.bitcoin.header import parse_header, target_of
from utxoracle.bitcoin.network import NETWORKS, REGTEST
from utxoracle.errors import BlockCorrupt, BlockNotFound, SourceError
from utxoracle.sources.borders import headers_behind, verify_day
from utxoracle.sources.days import BlockTimes

DAY = date(2025, 1, 2)
MIDNIGHT = timegm(DAY.timetuple())
STRICT = replace(REGTEST, name="strict", allows_min_difficulty=False)
USUAL = 0x201FFFFF
EASIEST = REGTEST.pow_limit_bits
FIRST = 2005
BLOCKS = 5


def header_of(prev_hash: str, time: int, bits: int) -> bytes:
    front = bytes(4) + hex_to_hash(prev_hash) + bytes(32)
    front += time.to_bytes(4, "little") + bits.to_bytes(4, "little")
    nonce = 0
    while True:
        header = front + nonce.to_bytes(4, "little")
        if int(hash_to_hex(double_sha256(header)), 16) <= target_of(bits):
            return header
        nonce += 1


class Chain:
    """A day of five blocks from height FIRST on, the block before it and those behind."""

    name = "chain"

    def __init__(self, first: int = FIRST, bits_behind: tuple[int, ...] = (USUAL,) * 7) -> None:
        self.first = first
        self.headers: dict[int, bytes] = {}
        times = [MIDNIGHT - 60, *(MIDNIGHT + 3600 * hour for hour in range(BLOCKS))]
        times += [MIDNIGHT + 86_400 + 600 * step for step in range(len(bits_behind))]
        bits = [USUAL] * (1 + BLOCKS) + list(bits_behind)
        prev_hash = "00" * 32
        for height, (time, claimed) in enumerate(zip(times, bits, strict=True), start=first - 1):
            self.headers[height] = header_of(prev_hash, time, claimed)
            prev_hash = self.hash_at(height)

    def scans(self):
        empty = build_block(height=1).scan()
        return [
            replace(
                empty,
                height=height,
                hash=header.hash,
                prev_hash=header.prev_hash,
                time=header.time,
                bits=header.bits,
            )
            for height in range(self.first, self.first + BLOCKS)
            for header in [parse_header(self.headers[height])]
        ]

    def tip(self) -> tuple[int, str]:
        height = max(self.headers)
        return height, self.hash_at(height)

    def hash_at(self, height: int) -> str:
        if height not in self.headers:
            raise BlockNotFound(f"no block {height}")
        return parse_header(self.headers[height]).hash

    def header(self, block_hash: str) -> bytes:
        return next(one for one in self.headers.values() if parse_header(one).hash == block_hash)


def test_a_whole_day_with_its_neighbours_is_proven():
    chain = Chain()
    verify_day(chain, BlockTimes(chain), DAY, chain.scans(), STRICT)


@pytest.mark.parametrize("cut", [slice(1, None), slice(None, -1)])
def test_a_part_of_a_day_is_not(cut):
    chain = Chain()
    with pytest.raises(SourceError, match="times for the blocks round 2025-01-02"):
        verify_day(chain, BlockTimes(chain), DAY, chain.scans()[cut], STRICT)


def test_six_blocks_behind_a_day_are_too_few():
    chain = Chain(bits_behind=(USUAL,) * 6)
    with pytest.raises(BlockNotFound):
        verify_day(chain, BlockTimes(chain), DAY, chain.scans(), STRICT)


def test_a_header_that_follows_another_block_is_refused():
    chain = Chain()
    behind = FIRST + BLOCKS
    chain.headers[behind] = header_of("00" * 32, MIDNIGHT + 90_000, USUAL)
    with pytest.raises(SourceError, match="not of one chain"):
        headers_behind(chain, chain.scans(), STRICT, 1)


def test_made_up_headers_at_the_easiest_target_end_no_day():
    chain = Chain(bits_behind=(EASIEST,) * 7)
    with pytest.raises(BlockCorrupt, match=f"header {FIRST + BLOCKS} .* easier than a block"):
        verify_day(chain, BlockTimes(chain), DAY, chain.scans(), STRICT)


def test_networks_with_blocks_of_minimum_difficulty_allow_them():
    chain = Chain(bits_behind=(EASIEST,) * 7)
    verify_day(chain, BlockTimes(chain), DAY, chain.scans(), REGTEST)
    assert [one.name for one in NETWORKS.values() if not one.allows_min_difficulty] == [
        "main",
        "signet",
    ]


def test_a_retarget_allows_four_times_the_target_from_its_height_on():
    four_times = 0x207FFFFC
    assert target_of(four_times) == 4 * target_of(USUAL)
    # The second block behind the day is block 2016.
    chain = Chain(2010, (USUAL, four_times, *(four_times,) * 5))
    verify_day(chain, BlockTimes(chain), DAY, chain.scans(), STRICT)
    for bits in ((four_times,) * 7, (USUAL, EASIEST, *(USUAL,) * 5)):
        early = Chain(2010, bits)
        with pytest.raises(BlockCorrupt, match="easier than a block"):
            verify_day(early, BlockTimes(early), DAY, early.scans(), STRICT)
