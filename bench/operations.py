"""What operators run, over two days and over ten years."""

import sys
import tempfile
from pathlib import Path
from statistics import median

from bench.analyze import folders_with_history
from bench.process import Run, run
from utxoracle.store.folder import DataFolder

SOURCE = "sim:days=2,transactions=100,start_height=900000"

SETTINGS = {"UTXORACLE_NETWORK": "regtest", "UTXORACLE_STALL_MINUTES": "1e9"}

ROUNDS = 5

OLDER_DAYS = {"2 days": 0, "10 years": 3650}

COMMANDS = (
    "backup",
    "backups",
    "backups --quick",
    "restore latest",
    "doctor",
    "alert --event check --dry-run",
    "export -o {place}/prices.csv",
    "export -o {place}/prices.json",
    "export -o {place}/prices.parquet",
    "export -o {place}/years/",
)


def print_operations() -> None:
    """Print what backups, checks and exports cost, as the history grows."""
    print(f"\noperations, {ROUNDS} runs of each: median, least, largest process")
    with tempfile.TemporaryDirectory() as place:
        folders = folders_with_history(Path(place), SOURCE, OLDER_DAYS)
        for command in COMMANDS:
            for history, folder in folders.items():
                print(f"  {command.format(place='.')}, {history}: {_measured(folder, command)}")


def _measured(folder: DataFolder, command: str) -> str:
    arguments = command.format(place=folder.path.parent).split()
    runs = [_run(folder, arguments) for _ in range(ROUNDS)]
    seconds = [one.seconds for one in runs]
    peak = max(one.peak_mb for one in runs)
    return f"{median(seconds):.2f} s, {min(seconds):.2f} s, {peak:.0f} MB"


def _run(folder: DataFolder, arguments: list[str]) -> Run:
    command = [sys.executable, "-m", "utxoracle", *arguments, "--data-dir", str(folder.path)]
    # The made-up days and the real ones leave a gap between them, which doctor finds.
    return run(command, may_find=arguments[0] == "doctor", **SETTINGS)
