import csv
import json
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.client import RemoteDisconnected
from pathlib import Path
from threading import Timer
from typing import Any
from urllib.error import HTTPError

import pytest

from utxoracle.simulation.chain import SimulatedChain
from utxoracle.simulation.options import SimulationOptions
from utxoracle.simulation.role import Role

SECONDS = 30
SMALL = ["--seed=3", "--days=1", "--transactions=5", "--blocks-per-day=24"]


def test_files_and_an_index_with_the_true_price_are_written(utxoracle, tmp_path):
    done = utxoracle("simulate", *SMALL, "-o", "blocks")
    assert done.returncode == 0, done.stderr
    with (tmp_path / "blocks" / "index.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert done.stdout == f"wrote {len(rows)} blocks and index.csv to blocks\n"
    assert {f"{row['height']}.bin" for row in rows} == {
        path.name for path in (tmp_path / "blocks").glob("*.bin")
    }
    assert all(50_000 < float(row["price"]) < 70_000 for row in rows)


def test_the_same_options_write_the_same_bytes(utxoracle, tmp_path):
    for folder in ("one", "two"):
        assert utxoracle("simulate", *SMALL, "-o", folder).returncode == 0
    one, two = (
        {path.name: path.read_bytes() for path in (tmp_path / folder).iterdir()}
        for folder in ("one", "two")
    )
    assert one == two


def test_a_chain_for_a_real_node_is_written_from_block_1_on(utxoracle, tmp_path):
    done = utxoracle("simulate", *SMALL, "--regtest", "-o", "blocks")
    assert done.returncode == 0, done.stderr
    chain = SimulatedChain(
        SimulationOptions(seed=3, days=1, transactions=5, blocks_per_day=24, regtest=True)
    )
    blocks = [tmp_path / "blocks" / f"{one}.bin" for one in range(1, chain.tip_height + 1)]
    assert done.stdout == f"wrote {len(blocks)} blocks and index.csv to blocks\n"
    assert blocks[0].read_bytes() == chain.raw_block(1)
    assert blocks[-1].read_bytes() == chain.raw_block(chain.tip_height)


@pytest.mark.parametrize(
    ("exit_code", "arguments", "message"),
    [
        (2, [], "nothing to do"),
        (2, ["-o", "blocks", "--days", "0"], "simulation option days"),
        (2, ["-o", "blocks", "--price", "nan"], "simulation option price"),
        (2, ["-o", "blocks", "--regtest", "--transactions=3000"], "13,075 BTC pay for"),
        (2, ["-o", "blocks", "--regtest", "--start-height=2"], "start_height must be 1 with"),
        (2, ["--serve", "--port", "0", "--tip", "1"], "the tip can be moved to"),
        (2, ["--serve", "--port", "0", "--block-every", "1"], "give --tip"),
        (2, ["--serve", "--port", "70000"], "70000 is not in the range"),
        (
            2,
            ["--serve", "--port", "0", "--tip", "810", "--block-every", "nan"],
            "after nan seconds",
        ),
        (
            2,
            ["--serve", "--port", "0", "--tip", "810", "--block-every", "inf"],
            "after inf seconds",
        ),
        (2, ["--serve", "--port", "0", "--delay", "nan"], "no block can be sent after nan seconds"),
        (2, ["--serve", "--port", "0", "--delay", "inf"], "no block can be sent after inf seconds"),
        (2, ["--serve", "--port", "0", "--delay", "-1"], "-1.0 is not in the range"),
        (2, ["--serve", "--host", "203.0.113.1"], "choose another address or port"),
        (2, ["--serve", "--host", "ä..b"], "ä..b:18443 can't be listened on"),
        (2, ["--serve", "--host", ""], "the host to listen on is empty"),
        (2, ["--serve", "--cookie-file", ""], "'--cookie-file': it is empty"),
        (2, ["-o", ""], "'--output': it is empty"),
        (2, ["-o", "blocks", "--tip", "810"], "--tip: such options only go with --serve"),
        (2, ["-o", "blocks", "--block-every", "1"], "--block-every: such options only go with"),
        (2, ["-o", "blocks", "--cookie-file", "c"], "--cookie-file: such options only go with"),
        (2, ["-o", "blocks", "--no-rest", "--port", "1"], "--port, --no-rest: such options only"),
        (2, ["-o", "blocks", "--delay", "0"], "--delay: such options only go with --serve"),
        (2, ["-o", "blocks", "--play", "all"], "--play: such options only go with --serve"),
        (2, ["-o", "blocks", "--fault", "half"], "--fault: such options only go with --serve"),
        (2, ["-o", "blocks", "--pruned", "9", "--syncing", "--loading"], "--loading, --syncing"),
        (2, ["--serve", "--play", "nobody"], "'nobody' is not one of 'all', 'backend', "),
        (2, ["--serve", "--port", "0", "--fault", "haf"], "no fault 'haf'; there are refuse, "),
        (5, ["--serve", "--port", "0", "--cookie-file", "missing/cookie"], "missing/cookie"),
        (5, ["-o", "/proc/blocks"], "/proc/blocks can't be written"),
    ],
)
def test_what_can_not_be_done_is_one_line(refused, exit_code, arguments, message):
    assert message in refused(exit_code, "simulate", *SMALL, *arguments)


def test_a_folder_that_holds_something_else_is_left_alone(refused, tmp_path):
    (tmp_path / "diary.txt").write_text("dear")
    assert "diary.txt" in refused(5, "simulate", *SMALL, "-o", ".")
    assert [path.name for path in tmp_path.iterdir()] == ["diary.txt"]


def test_a_cookie_file_that_holds_something_else_is_left_alone(refused, tmp_path):
    (tmp_path / "diary.txt").write_text("dear")
    line = refused(5, "simulate", *SMALL, "--serve", "--port=0", "--cookie-file=diary.txt")
    assert "diary.txt is there and is not a cookie; choose another name" in line
    assert (tmp_path / "diary.txt").read_text() == "dear"


@contextmanager
def served(folder: Path, *arguments: str) -> Iterator[tuple["subprocess.Popen[str]", str]]:
    """Serve a chain from a process of its own; give the process and its URL."""
    command = [sys.executable, "-m", "utxoracle", "simulate", *SMALL, "--serve", "--port", "0"]
    with subprocess.Popen(
        [*command, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=folder,
    ) as process:
        # Ends the reading below too, since the pipes close with the process.
        watchdog = Timer(SECONDS, process.kill)
        watchdog.start()
        try:
            line = next(line for line in process.stdout if "serving" in line)
            yield process, re.search(r"http://\S+", line)[0]
        finally:
            watchdog.cancel()
            process.kill()


def tip_of(url: str) -> int:
    with urllib.request.urlopen(f"{url}/simulation/tip", timeout=SECONDS) as answer:
        return int(json.load(answer)["height"])


def order(url: str, route: str, content: object = None) -> Any:
    body = json.dumps(content).encode()
    with urllib.request.urlopen(f"{url}/simulation/{route}", body, SECONDS) as answer:
        return json.load(answer)


def fetch(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=SECONDS) as answer:
        return answer.read()


def test_a_served_chain_forks_and_tells_what_it_was_asked(tmp_path):
    chain = SimulatedChain(SimulationOptions(seed=3, days=1, transactions=5, blocks_per_day=24))
    branch = chain.branch(815)
    with served(tmp_path, "--tip", "820", "--delay", "0.01") as (_, url):
        stale = f"/api/v1/block/{chain.hash_at(820)}/raw"
        assert fetch(url + stale) == chain.raw_block(820)
        assert order(url, "fork", {"height": 815, "tip": 818})["hash"] == branch.hash_at(818)
        assert order(url, "tip", {"by": 3})["hash"] == branch.hash_at(821)
        assert fetch(f"{url}/api/v1/block-height/820").decode() == branch.hash_at(820)
        assert fetch(url + stale) == chain.raw_block(820)
        asked = [stale, "/api/v1/block-height/820", stale]
        assert order(url, "requests") == {"requests": [f"GET {path}" for path in asked]}
        assert order(url, "requests") == {"requests": []}


def test_faults_go_wrong_until_the_server_is_healed(tmp_path):
    faults = ("--fault", "status-503@tip*1", "--fault", "hang@tip")
    with served(tmp_path, "--play", "backend", *faults) as (process, url):
        with pytest.raises(HTTPError, match="503"):
            fetch(f"{url}/api/v1/blocks/tip/hash")
        with pytest.raises(HTTPError, match="404"):
            fetch(f"{url}/rest/chaininfo.json")
        order(url, "requests")
        with ThreadPoolExecutor(1) as pool:
            hanging = pool.submit(fetch, f"{url}/api/v1/blocks/tip/hash")
            while not order(url, "requests")["requests"]:
                assert not hanging.done()
            assert order(url, "faults", {"faults": []}) == {"faults": []}
            assert isinstance(hanging.exception(SECONDS), RemoteDisconnected)
        assert len(fetch(f"{url}/api/v1/blocks/tip/hash")) == 64
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=SECONDS) == 0
        assert process.stderr.read() == ""


def test_a_node_can_be_played_that_syncs_and_has_pruned_blocks(tmp_path):
    with served(tmp_path, "--play", "bitcoind", "--syncing", "--pruned", "805") as (_, url):
        info = json.loads(fetch(f"{url}/rest/chaininfo.json"))
        assert (info["initialblockdownload"], info["pruneheight"]) == (True, 805)
    with (
        served(tmp_path, "--loading") as (_, url),
        pytest.raises(HTTPError, match="503"),
    ):
        fetch(f"{url}/rest/chaininfo.json")


@pytest.mark.parametrize("role", Role)
def test_a_served_chain_says_how_to_try_what_it_plays(tmp_path, role):
    with served(tmp_path, "--play", role) as (process, url):
        process.send_signal(signal.SIGTERM)
        trials = process.stdout.read()
    assert trials.count("utxoracle price --network regtest") == (2 if role is Role.ALL else 1)
    assert url.removeprefix("http://") in trials


def test_a_server_that_ends_does_not_wait_for_slow_blocks(tmp_path):
    with served(tmp_path, "--tip", "810", "--delay", "3600") as (process, url):
        block = f"{url}/rest/block/{order(url, 'tip', {'by': 0})['hash']}.bin"
        with ThreadPoolExecutor(1) as pool:
            slow = pool.submit(fetch, block)
            while order(url, "requests")["requests"] != [block.replace(url, "GET ")]:
                assert not slow.done()
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=SECONDS) == 0
            assert slow.exception(SECONDS)
        assert process.stderr.read() == ""


def test_a_served_chain_grows_block_by_block(tmp_path):
    with served(tmp_path, "--tip", "810", "--block-every", "0.05") as (_, url):
        deadline = time.monotonic() + SECONDS
        while tip_of(url) < 815:
            assert time.monotonic() < deadline
            time.sleep(0.02)


def test_a_served_chain_stops_growing_at_its_last_block(tmp_path):
    with served(tmp_path, "--tip", "810", "--block-every", "0.001") as (process, url):
        deadline = time.monotonic() + SECONDS
        seen = [810]
        while len(seen) < 3 or seen[-1] != seen[-3]:
            assert time.monotonic() < deadline
            time.sleep(0.1)
            seen.append(tip_of(url))
        assert seen[-1] > 815
        assert process.poll() is None


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("growing", [(), ("--tip", "810", "--block-every", "0.01")])
def test_serving_ends_cleanly_with_ctrl_c_and_with_sigterm(tmp_path, number, growing):
    with served(tmp_path, "--cookie-file", "cookie", *growing) as (process, _):
        assert (tmp_path / "cookie").read_text().startswith("__cookie__:")
        process.send_signal(number)
        assert process.wait(timeout=SECONDS) == 0
        assert process.stderr.read() == ""
    assert not (tmp_path / "cookie").exists()


def test_a_chain_can_be_written_and_served_at_once_without_rest(tmp_path):
    with served(tmp_path, "-o", "blocks", "--no-rest") as (_, url):
        last = max(int(path.stem) for path in (tmp_path / "blocks").glob("*.bin"))
        assert tip_of(url) == last
        with pytest.raises(HTTPError, match="404"):
            urllib.request.urlopen(f"{url}/rest/chaininfo.json", timeout=SECONDS)
