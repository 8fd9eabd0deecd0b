"""The ten-minute job against a simulated node: both are processes of their own."""

import json
import signal
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest

from tests.appliance import Appliance, lossy_proxy, simulated_node
from utxoracle.bitcoin.network import REGTEST
from utxoracle.jobs.scanning import scan_blocks
from utxoracle.price.estimate import estimate
from utxoracle.price.window import gather, link
from utxoracle.settings import Settings
from utxoracle.sources.factory import open_source

START = datetime.now(UTC).date() - timedelta(days=2)
OPTIONS = f"seed=5,days=2,transactions=40,start={START}"
"""A chain that begins two days ago."""

FIRST = 800
SHORT = FIRST + 170
"""A tip at which a first run has less to do."""


@pytest.fixture(scope="module")
def node():
    with simulated_node(OPTIONS) as node:
        yield node


@pytest.fixture(scope="module", autouse=True)
def last(node) -> int:
    """Height of the last block of the whole chain, before any test shows less of it."""
    return node.tip()[0]


@pytest.fixture(scope="module")
def at_once(node, last, tmp_path_factory):
    """A folder that was filled by one run; nothing may change it."""
    node.show(last)
    appliance = Appliance(tmp_path_factory.mktemp("at-once"), node.mempool).init()
    return appliance, appliance.analyze()


def test_a_first_run_prices_the_newest_windows_and_the_last_finished_day(at_once, last):
    appliance, report = at_once
    assert report["caught_up"]
    first = report["first_height"]
    assert (report["last_height"], report["tip"]["height"]) == (last, last)
    assert report["windows"] == last - first + 1 - 144
    assert report["days"][-1]["date"] == (START + timedelta(days=1)).isoformat()
    assert appliance.rows("SELECT count(*), min(height), max(height) FROM blocks") == [
        (report["blocks"], first, last)
    ]
    assert first == min(last - 287, report["days"][-1]["first_height"] - 1)


def test_a_run_leaves_word_of_itself(at_once, node, last):
    appliance, report = at_once
    told = appliance.last_run()
    assert told["exit_code"] == 0
    assert told["message"] == report["message"]
    assert (told["tip_height"], told["tip_hash"]) == (last, node.tip()[1])
    assert told["caught_up"]
    assert told["source"] == node.mempool.replace("+http://", " ")
    assert datetime.fromisoformat(told["started"]) < datetime.fromisoformat(told["finished"])


def test_window_prices_equal_those_that_price_gives_for_the_same_blocks(at_once, node):
    appliance, report = at_once
    node.show(report["last_height"])
    for height, price, confidence, outputs, points in appliance.rows(
        "SELECT height, price, confidence, outputs, points FROM window_prices "
        "WHERE height % 60 = 0 OR height = (SELECT max(height) FROM window_prices)"
    ):
        done = appliance.run("price", f"--from={height - 144}", f"--to={height - 1}", "--json")
        answer = json.loads(done.stdout)
        assert price == answer["price"]
        assert (confidence, outputs, points) == (
            answer["confidence"],
            answer["outputs"],
            answer["points"],
        )


def test_every_window_price_equals_the_one_that_its_own_blocks_give_alone(at_once, node):
    appliance, report = at_once
    heights = range(report["first_height"], report["last_height"] + 1)
    with closing(open_source(node.bitcoind, Settings())) as source:
        scans = scan_blocks(source, heights, network=REGTEST)
    rows = appliance.rows("SELECT height, price FROM window_prices ORDER BY height")
    assert len(rows) == report["windows"]
    for height, price in rows:
        at = height - heights[0]
        assert price == estimate(gather(link(scans[at - 144 : at]))).price


def test_daily_prices_equal_those_that_price_gives_for_the_same_day(at_once):
    appliance, _ = at_once
    rows = appliance.rows("SELECT date, price, first_height, last_height FROM daily_prices")
    assert rows
    for day, price, first, last in rows:
        answer = json.loads(appliance.run("price", f"--day={day}", "--json").stdout)
        assert (price, first, last) == (
            answer["price"],
            answer["first_height"],
            answer["last_height"],
        )


def test_nothing_new_is_one_request_and_changes_nothing(at_once, node):
    appliance, report = at_once
    before = appliance.database.read_bytes(), appliance.snapshot.read_bytes()
    node.requests()
    again = appliance.analyze()
    assert node.requests() == ["GET /api/v1/blocks/tip/hash"]
    assert again["blocks"] == 0
    assert again["revision"] == report["revision"]
    assert (appliance.database.read_bytes(), appliance.snapshot.read_bytes()) == before
    assert appliance.last_run()["message"].startswith("nothing new")


def test_a_run_with_nothing_new_does_not_open_the_database(at_once):
    appliance, _ = at_once
    done = appliance.run("analyze", PYTHONPROFILEIMPORTTIME="1")
    assert done.returncode == 0
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "utxoracle.jobs.analyze" in imported
    assert not imported & {"duckdb", "_duckdb", "numpy"}


def test_two_machines_hold_the_same_however_often_they_run(at_once, node, last, tmp_path):
    """One adds block after block, the other makes one long run over the same chain."""
    start = last - 24
    slow = Appliance(tmp_path / "slow", node.bitcoind).init()
    quick = Appliance(tmp_path / "quick", node.mempool).init()
    node.show(start)
    slow.analyze()
    quick.analyze()
    for height in range(start + 1, last + 1):
        node.show(height)
        if height % 3 == 0 or height == last:
            slow.analyze()
    quick.analyze()
    assert slow.chain_rows() == quick.chain_rows()
    assert len(slow.chain_rows()["days"]) > 0


def test_each_block_is_fetched_once_in_its_life(node, tmp_path):
    node.show(SHORT - 20)
    appliance = Appliance(tmp_path / "data", node.mempool).init()
    node.requests()
    appliance.analyze()
    for height in (SHORT - 12, SHORT - 11, SHORT):
        node.show(height)
        appliance.analyze()
    fetched = [path for path in node.requests() if path.endswith("/raw")]
    stored = appliance.rows("SELECT count(*) FROM blocks")[0][0]
    assert len(set(fetched)) == stored
    # The first block is tried before anything else, to find out where the source begins.
    assert len(fetched) <= stored + 10


def test_one_new_block_costs_a_handful_of_requests(node, tmp_path):
    node.show(SHORT - 1)
    appliance = Appliance(tmp_path / "data", node.mempool).init()
    appliance.analyze()
    node.show(SHORT)
    node.requests()
    assert appliance.analyze()["blocks"] == 1
    asked = node.requests()
    assert sum(path.endswith("/raw") for path in asked) == 1
    assert len(asked) <= 9, asked


def test_a_long_catch_up_is_cut_into_runs(node, tmp_path):
    node.show(SHORT)
    appliance = Appliance(tmp_path / "data", node.mempool).init()
    first = appliance.analyze("--max-blocks=100")
    assert (first["blocks"], first["caught_up"]) == (100, False)
    assert f"{SHORT - first['last_height']} blocks left" in first["message"]
    found = json.loads(appliance.run("status", "--json").stdout)
    assert found["missing"] == SHORT - first["last_height"]
    second = appliance.analyze("--max-blocks=10000")
    assert second["caught_up"]
    assert second["first_height"] == first["last_height"] + 1


def test_a_run_ends_at_its_time_budget_and_is_continued(node, tmp_path):
    node.show(SHORT)
    whole = Appliance(tmp_path / "whole", node.mempool).init()
    assert whole.analyze()["caught_up"]
    appliance = Appliance(tmp_path / "data", node.mempool).init()
    runs = 1
    while not appliance.analyze(UTXORACLE_TIME_BUDGET="0")["caught_up"]:
        runs += 1
    assert runs > 5
    assert appliance.chain_rows() == whole.chain_rows()


@pytest.mark.parametrize("lost", ["all", "some", "damaged"])
def test_a_lost_scan_cache_is_rebuilt_and_the_prices_stay_the_same(
    at_once, node, last, tmp_path, lost
):
    whole, _ = at_once
    node.show(last - 12)
    appliance = Appliance(tmp_path / "data", node.mempool).init()
    appliance.analyze()
    for index, path in enumerate(sorted((tmp_path / "data" / "scans").iterdir())):
        if lost == "damaged" and index % 3 == 0:
            path.write_bytes(path.read_bytes()[: -100 * (1 + index % 5)])
        elif lost == "all" or index % 2:
            path.unlink()
    node.show(last)
    appliance.analyze()
    ours, theirs = appliance.chain_rows(), whole.chain_rows()
    shared = min(len(ours["windows"]), len(theirs["windows"]))
    assert ours["windows"][-shared:] == theirs["windows"][-shared:]
    assert ours["days"][-1:] == theirs["days"][-1:]


def test_a_dry_run_tells_what_would_be_stored_and_writes_nothing(at_once, node, last, tmp_path):
    _, report = at_once
    node.show(last)
    appliance = Appliance(tmp_path / "data", node.mempool).init()
    before = sorted((path, path.stat().st_mtime_ns) for path in tmp_path.rglob("*"))
    told = appliance.analyze("--dry-run")
    assert sorted((path, path.stat().st_mtime_ns) for path in tmp_path.rglob("*")) == before
    assert told["dry_run"]
    assert "would store" in told["message"]
    assert told["latest"]["price"] == report["latest"]["price"]
    assert told["days"][-1]["price"] == report["days"][-1]["price"]


def test_a_source_that_lags_behind_takes_nothing_away_and_is_told_each_time(at_once, node, last):
    appliance, report = at_once
    node.show(last - 5)
    for _ in range(2):
        told = appliance.analyze()
        assert (told["blocks"], told["caught_up"]) == (0, False)
        assert "5 blocks behind what is stored" in told["message"]
    node.show(last)
    assert appliance.analyze()["revision"] == report["revision"]


def test_blocks_before_one_that_fails_are_stored(node, tmp_path):
    """A proxy between node and program that has lost one block, as a damaged disk does."""
    node.show(SHORT)
    lost = node.hash_at(SHORT - 30)
    with lossy_proxy(node.url, lost) as url:
        appliance = Appliance(tmp_path / "data", f"bitcoind+{url}").init()
        line = appliance.refused(3, "analyze")
    assert lost in line
    ((top,),) = appliance.rows("SELECT max(height) FROM blocks")
    assert top == SHORT - 31
    assert appliance.last_run()["exit_code"] == 3
    assert appliance.last_run()["message"] in line
    assert appliance.analyze("--source", node.bitcoind)["caught_up"]


@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_is_interrupted_publishes_what_it_stored_and_leaves_word(tmp_path, kind):
    with simulated_node(OPTIONS, "--delay=0.02") as node:
        appliance = Appliance(tmp_path / "data", node.mempool).init()
        running = appliance.start("analyze")
        fetched = 0
        while fetched < 40:
            assert running.poll() is None
            fetched += sum(path.endswith("/raw") for path in node.requests())
        running.send_signal(kind)
        _, errors = running.communicate(timeout=60)
    assert running.returncode == 130
    assert errors.strip() == "utxoracle: interrupted"
    told = appliance.last_run()
    assert (told["exit_code"], told["message"]) == (130, "interrupted")
    stored = appliance.rows("SELECT count(*) FROM blocks")
    assert stored == appliance.rows("SELECT count(*) FROM blocks", appliance.database)
    assert stored[0][0] >= 24


def test_a_chain_is_not_stalled_while_it_is_caught_up_with(node, last, tmp_path):
    node.show(last)
    appliance = Appliance(tmp_path / "data", node.mempool).init()
    appliance.analyze("--max-blocks=30", UTXORACLE_STALL_MINUTES="2000")
    done = appliance.run("status", UTXORACLE_STALL_MINUTES="2000")
    assert "catching up: " in done.stdout
    assert "stalled: no block" not in done.stdout


def test_a_chain_that_stalls_is_a_warning(tmp_path):
    with simulated_node("days=1,transactions=20,start=2025-01-01") as node:
        appliance = Appliance(tmp_path / "data", node.mempool).init()
        done = appliance.run("analyze")
        assert done.returncode == 0
        assert "stalls: its newest block" in done.stderr
        assert json.loads(appliance.run("status", "--json").stdout)["state"] == "stalled"


def test_a_chain_too_short_for_a_window_is_stored_all_the_same(tmp_path):
    with simulated_node("days=1,transactions=20,start_height=1", "--tip=50") as node:
        appliance = Appliance(tmp_path / "data", node.mempool).init()
        report = appliance.analyze()
        assert (report["blocks"], report["windows"], report["days"]) == (51, 0, [])
        assert report["latest"] is None


def test_a_price_beyond_the_limits_is_stored_as_not_valid_with_a_warning(node, last, tmp_path):
    node.show(last)
    appliance = Appliance(tmp_path / "data", node.mempool, UTXORACLE_MAX_PRICE="30000").init()
    done = appliance.run("analyze")
    assert done.returncode == 0
    assert "stored as not valid" in done.stderr
    reasons = appliance.rows("SELECT DISTINCT is_valid FROM window_prices")
    assert reasons == [(False,)]
    assert "is above $30,000" in appliance.rows("SELECT invalid_reason FROM daily_prices")[0][0]
