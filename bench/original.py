"""The original script, unmodified, against a simulated chain that is served as bitcoind."""

import os
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

CENTRAL_PRICE = re.compile(r"scaleY\(([\d.]+)\) \+0\)")
"""Where the page that it writes holds the central price with all its digits."""


@dataclass(frozen=True)
class OriginalRun:
    """The price that the original's page shows, with all digits, and how long it took."""

    price: float
    seconds: float


def run_original(script: Path, url: str, day: str | None) -> OriginalRun:
    """Run the original for a day (YYYY-MM-DD), or for the newest window when there is none."""
    place = urlsplit(url)
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "bitcoin.conf").write_text(
            f"rpcuser=user\nrpcpassword=password\n"
            f"rpcconnect={place.hostname}\nrpcport={place.port}\n"
        )
        which = ["-d", day.replace("-", "/")] if day else ["-rb"]
        started = time.perf_counter()
        # It ends by opening its page in a browser; `true` is one that shows nothing.
        done = subprocess.run(
            [sys.executable, script, "-p", folder, *which],
            cwd=folder,
            env={**os.environ, "BROWSER": "true"},
            capture_output=True,
            text=True,
            check=False,
        )
        seconds = time.perf_counter() - started
        pages = [path.read_text() for path in Path(folder).glob("*.html")]
    found = CENTRAL_PRICE.search("".join(pages))
    if not found:
        raise SystemExit(f"the original found no price:\n{done.stdout[-500:]}{done.stderr[-500:]}")
    return OriginalRun(float(found[1]), seconds)
