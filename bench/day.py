"""A whole day of blocks: seconds, throughput and memory of the program as a user runs it."""

import json
import sys
from typing import Any

from bench.process import Run, run


def price(source: str, day: str, *, cores: int) -> tuple[Run, dict[str, Any]]:
    """Run `utxoracle price` for a day of a regtest source, with a worker for each core."""
    command = [sys.executable, "-m", "utxoracle", "price", "--source", source, "--day", day]
    done = run(
        [*command, "--network", "regtest", "--json"], cores=cores, UTXORACLE_WORKERS=str(cores)
    )
    return done, json.loads(done.output)
