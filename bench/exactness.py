"""`python -m bench.exactness SCRIPT`: the original and this program on many chains, as a table."""

import json
import subprocess
import sys
from pathlib import Path

from bench.original import run_original
from bench.simulation import served

DAY = "2025-01-01"
CHAINS = (
    "seed=1,price=16000",
    "seed=2,price=20000",
    "seed=3,price=31000,transactions=150",
    "seed=4,price=45000,volatility=0.05",
    "seed=5,price=60000",
    "seed=6,price=60000,volatility=0.1",
    "seed=7,price=75000,transactions=12",
    "seed=8,price=90000,noise=0.95",
    "seed=9,price=110000,blocks_per_day=90",
    "seed=10,price=160000,transactions=600",
    "seed=11,price=250000",
    "seed=12,price=400000,volatility=0.04",
)


def main(script: Path) -> None:
    """Print a Markdown table; end with 1 when a price differs in any digit."""
    print("| chain | blocks | original | utxoracle | equal |")
    print("|--|--|--|--|--|")
    differing = 0
    for chain in CHAINS:
        with served(f"{chain},days=1") as url:
            for which, day in (("day", DAY), ("window", None)):
                original = run_original(script, url, day).price
                price = _price(url, day)
                equal = price == original
                differing += not equal
                print(f"| `{chain}` | {which} | {original!r} | {price!r} | {equal} |", flush=True)
    sys.exit(1 if differing else 0)


def _price(url: str, day: str | None) -> float:
    which = ["--day", day] if day else ["--window"]
    command = [sys.executable, "-m", "utxoracle", "price", "--network", "regtest", "--json"]
    done = subprocess.run(
        [*command, "--source", f"bitcoind+{url}", *which],
        capture_output=True,
        text=True,
        check=True,
    )
    return float(json.loads(done.stdout)["price"])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
