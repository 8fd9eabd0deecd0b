"""Prints what the program costs, and how many times less than the original it takes.

Environment: BLOCKS is a folder of real mainnet blocks, ORIGINAL the path of the original script,
MINUTES how long the API is under mixed load (1). What is missing is left out, and a line says so.
"""

import os
import tempfile
from pathlib import Path

from bench.analyze import print_short_runs
from bench.api import print_api
from bench.cold_start import print_cold_start
from bench.day import price
from bench.growth import print_growth
from bench.operations import print_operations
from bench.original import run_original
from bench.simulation import served, simulate
from bench.stages import measure
from utxoracle.bitcoin.header import parse_header
from utxoracle.bitcoin.network import MAIN, REGTEST, Network
from utxoracle.sources.files import FilesSource

LARGE_DAY = "days=1,transactions=3000,blocks_per_day=194"
"""A day of about 250 MB: more blocks than usual, each as full as the simulation makes them."""

DAY = "2025-01-01"

MODERN_HEIGHT = 750_000


def main() -> None:
    """Print all measurements."""
    real_blocks = os.environ.get("BLOCKS")
    original = os.environ.get("ORIGINAL")
    with tempfile.TemporaryDirectory() as folder:
        simulate(LARGE_DAY, "--output", folder)
        _print_stages("simulated", _some_blocks(folder), REGTEST)
        if real_blocks:
            _print_stages("mainnet", _some_blocks(real_blocks), MAIN)
        else:
            print("left out: real blocks, since BLOCKS names no folder of them")
        _print_day(folder)
    print_short_runs()
    print_growth()
    print_cold_start()
    print_api()
    print_operations()
    if original:
        _print_ratio(Path(original))
    else:
        print("left out: the original script, since ORIGINAL doesn't name it")


def _some_blocks(folder: str) -> list[tuple[int, bytes]]:
    """Return height and bytes of up to five large blocks of a folder."""
    source = FilesSource(folder)
    paths = sorted(Path(folder).glob("[0-9]*.bin"), key=lambda path: -path.stat().st_size)
    heights = [int(path.name.partition("_")[0].partition(".")[0]) for path in paths]
    if max(heights) > MODERN_HEIGHT:
        heights = [height for height in heights if height > MODERN_HEIGHT]
    return [(height, source.raw_block(source.hash_at(height))) for height in heights[:5]]


def _print_stages(kind: str, blocks: list[tuple[int, bytes]], network: Network) -> None:
    print(f"\nmilliseconds per block, {kind}, everything verified")
    for height, raw in blocks:
        stages = measure(raw, height, network)
        rate = len(raw) / 1e6 / (stages["all"] / 1000)
        parts = ", ".join(f"{name} {ms:.1f}" for name, ms in stages.items() if name != "all")
        print(
            f"  {height} {parse_header(raw).hash[-8:]} {len(raw) / 1e6:.2f} MB: "
            f"{stages['all']:.1f} ({parts}), {rate:.0f} MB/s"
        )


def _print_day(folder: str) -> None:
    print("\na day from files, start to end")
    for cores in range(1, (os.cpu_count() or 1) + 1):
        done, answer = price(f"files:{folder}", DAY, cores=cores)
        heights = range(answer["first_height"], answer["last_height"] + 1)
        size = sum(Path(folder, f"{height}.bin").stat().st_size for height in heights) / 1e6
        print(
            f"  {cores} core(s): {done.seconds:.2f} s, {answer['blocks']} blocks, {size:.0f} MB, "
            f"{size / done.seconds:.0f} MB/s, largest process {done.peak_mb:.0f} MB"
        )


def _print_ratio(script: Path) -> None:
    print("\nthe same day from a node on the same machine, against the original")
    with served(LARGE_DAY) as url:
        ours, answer = price(f"bitcoind+{url}", DAY, cores=1)
        both, _ = price(f"bitcoind+{url}", DAY, cores=os.cpu_count() or 1)
        theirs = run_original(script, url, DAY)
    print(f"  original {theirs.seconds:.1f} s, price {theirs.price!r}")
    print(f"  utxoracle {ours.seconds:.1f} s on one core, price {answer['price']!r}")
    print(f"  utxoracle {both.seconds:.1f} s on all cores")
    print(
        f"  ratio {theirs.seconds / ours.seconds:.1f} on one core, "
        f"{theirs.seconds / both.seconds:.1f} on all; "
        f"prices {'equal' if theirs.price == answer['price'] else 'DIFFER'}"
    )


if __name__ == "__main__":
    main()
