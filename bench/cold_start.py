"""A first run over a server that takes its time for each block: how much of the work is hidden."""

import time
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.analyze import analyze, new_folder
from bench.simulation import served, take_requests
from utxoracle.settings import Settings
from utxoracle.sources.factory import open_source

CHAIN = "days=2,transactions=3000"

DELAY = 0.056
"""Seconds that a mempool back end takes for a block of mainnet, between it and its node."""


def print_cold_start() -> None:
    """Print how long a first run takes, and how long fetching and computing alone do."""
    with served(CHAIN, delay=DELAY) as url, TemporaryDirectory() as place:
        source = f"mempool+{url}"
        both, report = analyze(new_folder(Path(place, "both")), source)
        requests = len(take_requests(url))
        heights = range(report["first_height"], report["last_height"] + 1)
        files = Path(place, "blocks")
        fetching = _fetch(source, heights, files)
        computing, again = analyze(new_folder(Path(place, "computing")), f"files:{files}")
    if again["latest"]["price"] != report["latest"]["price"]:
        raise SystemExit("the two runs differ")
    apart = fetching + computing.seconds
    hidden = (apart - both.seconds) / min(fetching, computing.seconds)
    print(f"\nfirst run over a mempool server that takes {DELAY * 1000:.0f} ms for a block")
    print(
        f"  {both.seconds:.1f} s for {len(heights)} blocks with {requests} requests, "
        f"{both.peak_mb:.0f} MB"
    )
    print(f"  fetching these blocks and nothing else: {fetching:.1f} s")
    print(f"  the same run over files: {computing.seconds:.1f} s")
    print(f"  overlap: {hidden:.0%} of the shorter one is hidden behind the other")


def _fetch(url: str, heights: range, folder: Path) -> float:
    """Write blocks to a folder of files; return the seconds that fetching them took."""
    folder.mkdir()
    source = open_source(url, Settings())
    seconds = 0.0
    for height in heights:
        started = time.perf_counter()
        raw = source.raw_block(source.hash_at(height))
        seconds += time.perf_counter() - started
        (folder / f"{height}.bin").write_bytes(raw)
    source.close()
    return seconds
