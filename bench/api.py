"""The API under load, over a database of 10 years, beside the predecessor's way of serving."""

import os
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from threading import Event, Thread

import requests

from bench.analyze import analyze, new_folder
from bench.history import copy_with_history
from bench.load import (
    Server,
    ask_as_often_as_it_can,
    ask_at_rate,
    free_port,
    missing_tools,
    serving,
)
from utxoracle.store.folder import DataFolder
from utxoracle.store.snapshot import publish

YEARS = 10
ROUNDS = 5
SECONDS = 3.0
RATE = 500
SNAPSHOTS = 20
LATEST = "/api/prices/latest"
HISTORY = "/api/prices/historical?days=365&interval=hour"
GUNICORN = ("gunicorn", "-c", "python:utxoracle.api.gunicorn_conf")
MIXED = (
    LATEST,
    "/api/prices/historical?days=7",
    "/api/prices/historical?days=30",
    HISTORY,
    "/api/prices/historical?days=3650&interval=day",
    "/api/prices/historical?days=400&interval=block",
    "/api/prices/historical?days=90&format=csv",
    "/api/prices/comparison?days=365",
    "/api/prices/daily?days=365",
    "/api/prices/points",
    "/api/v1/prices",
    "/health",
    "/metrics",
    "/",
)
"""What people and programs ask for, in turns."""

Start = Callable[[], AbstractContextManager[Server]]


def print_api() -> None:
    """Print rates, latencies, processor time and memory of the API, and the ratios asked for."""
    missing = missing_tools()
    if missing:
        print(f"\nleft out: the API under load, since {' and '.join(missing)} is not installed")
        return
    with tempfile.TemporaryDirectory() as place:
        folder = _folder(Path(place))
        size = folder.snapshot.stat().st_size / 1e6
        print(f"\nthe API, 2 workers on loopback, {YEARS} years of rows ({size:.0f} MB)")
        _print_rates(folder)
        with _ours(folder)() as server:
            _print_latencies(server)
            _print_while_published(server, folder)
        with _ours(folder, UTXORACLE_API_WORKERS="1")() as server:
            _print_history(server, folder)
        with _ours(folder)() as server:
            _print_memory(server, folder)


def _folder(place: Path) -> DataFolder:
    """Return a data folder with YEARS of rows that end now, published."""
    today = time.strftime("%Y-%m-%d", time.gmtime(time.time() - 2 * 86_400))
    source = f"sim:days=2,transactions=30,start_height=900000,start={today}"
    recent, folder = new_folder(place / "recent"), new_folder(place / "data")
    analyze(recent, source)
    copy_with_history(recent, folder, YEARS * 365)
    publish(folder)
    return folder


def _ours(folder: DataFolder, *command: str, **environment: str) -> Start:
    port = free_port()
    return lambda: serving(
        [sys.executable, "-m", *(command or ["utxoracle.api"])],
        port,
        LATEST,
        UTXORACLE_DATA_DIR=str(folder.path),
        UTXORACLE_API_PORT=str(port),
        **environment,
    )


def _theirs(folder: DataFolder) -> Start:
    port = free_port()
    return lambda: serving(
        [sys.executable, "-m", "uvicorn", "--workers=2", f"--port={port}",
         "--no-access-log", "bench.predecessor:app"],
        port,
        "/constant",
        DATABASE=str(folder.snapshot),
    )  # fmt: skip


def _print_rates(folder: DataFolder) -> None:
    """Print what each way of serving gives, measured in turns so that all are disturbed alike."""
    ways: dict[str, tuple[Start, str]] = {"ours": (_ours(folder), LATEST)}
    for kind in ("sync", "gthread --threads=8", "gevent", "tornado"):
        package = kind.partition(" ")[0]
        if package in ("gevent", "tornado") and find_spec(package) is None:
            print(f"  left out: gunicorn's {kind} workers, since {package} is not installed")
            continue
        options = f"--worker-class={kind}".split()
        ways[f"gunicorn {kind}"] = (_ours(folder, *GUNICORN, *options), LATEST)
    if find_spec("fastapi") and find_spec("uvicorn"):
        ways["predecessor's way"] = (_theirs(folder), LATEST)
        ways["FastAPI, a constant"] = (_theirs(folder), "/constant")
    else:
        print("  left out: the predecessor's way, since fastapi or uvicorn is not installed")
    rates: dict[str, list[float]] = {name: [] for name in ways}
    costs: dict[str, list[float]] = {name: [] for name in ways}
    with ExitStack() as stack:
        servers = {name: stack.enter_context(start()) for name, (start, _) in ways.items()}
        for _ in range(ROUNDS):
            for name, server in servers.items():
                before = server.busy_seconds()
                load = ask_as_often_as_it_can(server.url + ways[name][1], SECONDS)
                if load.failures:
                    raise SystemExit(f"{name}: {load.failures} requests failed")
                rates[name].append(load.per_second)
                costs[name].append(1e6 * (server.busy_seconds() - before) / load.answers)
        print(f"  {'':22} {'answers/s':>9} {'µs of CPU':>10} {'MB per worker':>14}")
        for name, server in servers.items():
            memory = max(server.memory_mb())
            print(
                f"  {name:22} {median(rates[name]):9,.0f} {median(costs[name]):10,.0f} "
                f"{memory:14.0f}"
            )
    for name, goal in (("predecessor's way", "20"), ("FastAPI, a constant", "none; was 0.5-0.8")):
        if name in rates:
            ratios = [one / other for one, other in zip(rates["ours"], rates[name], strict=True)]
            print(f"  ours to {name}: {median(ratios):.2f} times as many; goal {goal}")


def _print_latencies(server: Server) -> None:
    load = ask_at_rate(server.url + LATEST, RATE, 4 * SECONDS)
    told = ", ".join(f"p{percent} {ms:.1f} ms" for percent, ms in load.latencies.items())
    print(
        f"  at {load.per_second:.0f} of {RATE} requests/s: {told}; {load.failures} failed; "
        "goal p99 10 ms"
    )


def _print_while_published(server: Server, folder: DataFolder) -> None:
    """Print what fails while the snapshot is replaced again and again."""
    done = Event()

    def publish_all() -> None:
        for _ in range(SNAPSHOTS):
            publish(folder)
            time.sleep(0.2)
        done.set()

    thread = Thread(target=publish_all)
    thread.start()
    answers = failures = 0
    worst = 0.0
    while not done.is_set():
        load = ask_as_often_as_it_can(server.url + LATEST, 1)
        answers, failures = answers + load.answers, failures + load.failures
        worst = max(worst, load.latencies[99])
    thread.join()
    print(
        f"  while {SNAPSHOTS} snapshots are published: {answers:,} answers, {failures} failed, "
        f"p99 at most {worst:.0f} ms; goal 0 failed"
    )


def _print_history(server: Server, folder: DataFolder) -> None:
    first, kept = [], []
    for _ in range(ROUNDS):
        publish(folder)
        # The snapshot is opened by this one, not by the one that is measured.
        requests.get(server.url + LATEST, timeout=10).raise_for_status()
        first.append(_milliseconds(server.url + HISTORY))
        kept += [_milliseconds(server.url + HISTORY) for _ in range(10)]
    print(f"  {HISTORY}: first {median(first):.0f} ms, kept {median(kept):.1f} ms; goals 50 and 2")


def _milliseconds(url: str) -> float:
    started = time.perf_counter()
    answer = requests.get(url, timeout=60)
    answer.raise_for_status()
    return 1000 * (time.perf_counter() - started)


def _print_memory(server: Server, folder: DataFolder) -> None:
    """Print what workers have come to after MINUTES of everything, with a snapshot each minute."""
    minutes = float(os.environ.get("MINUTES", "1"))
    until = time.monotonic() + 60 * minutes
    counted = [0, 0]

    def ask(offset: int) -> None:
        with requests.Session() as session:
            number = offset
            while time.monotonic() < until:
                answer = session.get(server.url + MIXED[number % len(MIXED)], timeout=60)
                # Health tells the truth about a database that no run keeps up.
                counted[0] += 1
                counted[1] += not answer.ok and "/health" not in answer.url
                number += 1

    threads = [Thread(target=ask, args=[offset * 3]) for offset in range(4)]
    for thread in threads:
        thread.start()
    while time.monotonic() < until:
        publish(folder)
        time.sleep(min(60, max(0, until - time.monotonic())))
    for thread in threads:
        thread.join()
    memory = ", ".join(f"{one:.0f}" for one in server.memory_mb())
    print(
        f"  {minutes:g} min of mixed load, {counted[0]:,} requests, {counted[1]} failed: "
        f"{memory} MB in the workers; goal 150"
    )
