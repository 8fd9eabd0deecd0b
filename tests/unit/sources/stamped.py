"""A source of headers that carry wanted times, for the rules that look at nothing else."""

from bisect import insort
from collections.abc import Callable, Sequence

from utxoracle.bitcoin.encoding import double_sha256, hash_to_hex
from utxoracle.errors import BlockNotFound

MEDIAN_SPAN = 11


class StampedChain:
    """Headers with the times `time_of(height)` for heights from `bottom` to `top`.

    Attributes:
        headers: How many headers were asked for.
        requests: How many questions were asked at all.
    """

    name = "stamped"

    def __init__(self, time_of: Callable[[int], int], bottom: int, top: int) -> None:
        self._time_of = time_of
        self._bottom = bottom
        self._top = top
        self._heights: dict[str, int] = {}
        self.headers = 0
        self.requests = 0

    def _header(self, height: int) -> bytes:
        time = self._time_of(height).to_bytes(4, "little")
        return height.to_bytes(68, "little") + time + bytes(8)

    def tip(self) -> tuple[int, str]:
        return self._top, self.hash_at(self._top)

    def hash_at(self, height: int) -> str:
        self.requests += 1
        if not self._bottom <= height <= self._top:
            raise BlockNotFound(f"no block {height}")
        block_hash = hash_to_hex(double_sha256(self._header(height)))
        self._heights[block_hash] = height
        return block_hash

    def header(self, block_hash: str) -> bytes:
        self.requests += 1
        self.headers += 1
        return self._header(self._heights[block_hash])

    def raw_block(self, block_hash: str) -> bytes:
        raise BlockNotFound(f"no block {block_hash}")

    def close(self) -> None:
        pass


def chain_of(times: Sequence[int], bottom: int = 0) -> StampedChain:
    """Return a chain whose blocks from `bottom` on have these times."""
    return StampedChain(lambda height: times[height - bottom], bottom, bottom + len(times) - 1)


def obey_median_rule(wishes: Sequence[int]) -> list[int]:
    """Return `wishes` with each time raised, where needed, past the median of the 11 before."""
    times: list[int] = []
    for wish in wishes:
        before: list[int] = []
        for time in times[-MEDIAN_SPAN:]:
            insort(before, time)
        times.append(max(wish, before[len(before) // 2] + 1) if before else wish)
    return times


def obeys_median_rule(times: Sequence[int]) -> bool:
    return obey_median_rule(times) == list(times)
