"""Runs of `utxoracle analyze` that find one new block or none, over a short and a long history."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from bench.history import copy_with_history
from bench.process import Run, environment_of_installed, run
from bench.simulation import move_tip, served, take_requests
from utxoracle.bitcoin.network import REGTEST
from utxoracle.store.database import create_database
from utxoracle.store.folder import DataFolder

CHAIN = "days=2,transactions=3000,start_height=900000"
"""Two days of full blocks, with room for ten years of them below."""

ROUNDS = 9

OLDER_DAYS = {"2 days": 0, "10 days": 10, "10 years": 3650}

HEAVY = ("numpy", "duckdb")
"""Packages that take long to import, and that nobody needs where nothing is new."""


@dataclass(frozen=True)
class Measured:
    """A run of `analyze`, and the requests that it made."""

    run: Run
    requests: Sequence[str]

    @property
    def blocks(self) -> int:
        """Number of raw blocks among what it asked for."""
        return sum(target.endswith("/raw") for target in self.requests)


def analyze(folder: DataFolder, source: str) -> tuple[Run, dict[str, Any]]:
    """Run `utxoracle analyze`; return the run and what it reports."""
    done = run([*_command(folder, source), "--json"])
    return done, json.loads(done.output)


def new_folder(path: Path) -> DataFolder:
    """Return a data folder with an empty database."""
    folder = DataFolder(path)
    create_database(folder, REGTEST)
    return folder


def folders_with_history(
    place: Path, source: str, older_days: Mapping[str, int]
) -> dict[str, DataFolder]:
    """Return a folder for each history of so many made-up days, caught up with the source."""
    recent = new_folder(place / "recent")
    analyze(recent, source)
    folders = {}
    for name, days in older_days.items():
        folders[name] = new_folder(place / name)
        copy_with_history(recent, folders[name], days)
        analyze(folders[name], source)
    return folders


def print_short_runs() -> None:
    """Print what a run with one new block costs, and one with none, and what is start-up."""
    print(f"\nutxoracle analyze, {ROUNDS} runs of each: median, least, median of processor time")
    with served(CHAIN) as url, tempfile.TemporaryDirectory() as place:
        source = f"mempool+{url}"
        # One more than is measured: the first run over a generated database publishes it.
        move_tip(url, -ROUNDS - 1)
        folders = folders_with_history(Path(place), source, OLDER_DAYS)
        move_tip(url, 1)
        for folder in folders.values():
            analyze(folder, source)
        found, idle = _measure(url, folders, source)
        for name, folder in folders.items():
            size = folder.database.stat().st_size / 1e6
            print(f"  one new block over {name:8} ({size:5.1f} MB): {_told(found[name])}")
        more = [
            far.run.seconds - near.run.seconds
            for near, far in zip(found["10 days"], found["10 years"], strict=True)
        ]
        print(
            f"    10 years take longer than 10 days by {median(more):.2f} s in the median of "
            f"{ROUNDS} pairs, {min(more):.2f} to {max(more):.2f} s; goal 0.25 s"
        )
        print("    goal for one new block 0.8 s and 300 MB, one block fetched")
        print(f"  nothing new: {_told(idle)}; goal 0.5 s, one request")
        folder = folders["2 days"]
        imported = ", ".join(_heavy_imports(folder, source)) or "neither"
        print(f"    imported of {' and '.join(HEAVY)}: {imported}")
    for what, code in {
        "Python alone": "pass",
        "importing click, requests, numpy, duckdb": "import click, requests, numpy, duckdb",
    }.items():
        print(f"  {what}: {_spread([run([sys.executable, '-c', code]) for _ in range(ROUNDS)])}")


def _measure(
    url: str, folders: dict[str, DataFolder], source: str
) -> tuple[dict[str, list[Measured]], list[Measured]]:
    """Return for each folder the runs with one new block, and the runs of one with nothing new.

    They take turns, so that other work on the machine disturbs all of them alike.
    """
    found: dict[str, list[Measured]] = {name: [] for name in folders}
    idle = []
    for _ in range(ROUNDS):
        move_tip(url, 1)
        for name, folder in folders.items():
            found[name].append(_measured(url, folder, source, blocks=1))
        idle.append(_measured(url, folders["2 days"], source, blocks=0))
    return found, idle


def _measured(url: str, folder: DataFolder, source: str, *, blocks: int) -> Measured:
    take_requests(url)
    done, report = analyze(folder, source)
    if (report["blocks"], report["caught_up"]) != (blocks, True):
        raise SystemExit(f"{folder.path}: {report['message']}, instead of {blocks} blocks")
    return Measured(done, take_requests(url))


def _heavy_imports(folder: DataFolder, source: str) -> list[str]:
    """Return the packages of `HEAVY` that a run with nothing new imports."""
    command = _command(folder, source)
    done = subprocess.run(
        [command[0], "-X", "importtime", *command[1:]],
        capture_output=True,
        text=True,
        check=True,
        env=environment_of_installed(),
    )
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    return [name for name in HEAVY if name in imported]


def _command(folder: DataFolder, source: str) -> list[str]:
    command = [sys.executable, "-m", "utxoracle", "analyze", "--network", "regtest"]
    return [*command, "--data-dir", str(folder.path), "--source", source]


def _told(runs: Sequence[Measured]) -> str:
    asked = sorted({len(one.requests) for one in runs})
    blocks = sorted({one.blocks for one in runs})
    return (
        f"{_spread([one.run for one in runs])}, {max(one.run.peak_mb for one in runs):.0f} MB, "
        f"{' or '.join(map(str, asked))} requests, {' or '.join(map(str, blocks))} of them blocks"
    )


def _spread(runs: Sequence[Run]) -> str:
    seconds = [one.seconds for one in runs]
    busy = median(one.busy_seconds for one in runs)
    return f"{median(seconds):.2f} s, {min(seconds):.2f} s, processor {busy:.2f} s"
