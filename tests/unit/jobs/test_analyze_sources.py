"""Several sources in real runs: who takes over, and what is told and stored of it."""

import json
from collections.abc import Iterator

import pytest
import requests

from tests.appliance import Appliance
from utxoracle.simulation.chain import SimulatedChain
from utxoracle.simulation.options import SimulationOptions
from utxoracle.simulation.server import SimulationServer

CHAIN = SimulatedChain(SimulationOptions.parse("seed=9,days=1,transactions=2"))
TIP = CHAIN.tip_height
MIDDLE = CHAIN.first_height + 60
SECRET = "hunter2"


@pytest.fixture(scope="module")
def servers() -> Iterator[tuple[SimulationServer, SimulationServer]]:
    with SimulationServer(CHAIN) as first, SimulationServer(CHAIN) as second:
        yield first, second


@pytest.fixture
def first(servers) -> Iterator[SimulationServer]:
    yield servers[0]
    servers[0].set_faults([])
    servers[0].tip = TIP


@pytest.fixture
def second(servers) -> Iterator[SimulationServer]:
    yield servers[1]
    servers[1].set_faults([])
    servers[1].tip = TIP


@pytest.fixture
def appliance(first, second, tmp_path) -> Appliance:
    """Follow the first server as a node, with a password, and the second one as a mempool."""
    place = first.url.removeprefix("http://")
    source = f"bitcoind+http://me:{SECRET}@{place} mempool+{second.url}"
    settings = {"UTXORACLE_RETRIES": "0", "UTXORACLE_STALL_MINUTES": "1e9"}
    return Appliance(tmp_path / "data", source, **settings).init()


@pytest.fixture(scope="module")
def healthy(servers, tmp_path_factory) -> dict[str, list[tuple[object, ...]]]:
    """Return what a run with one good source stores."""
    folder = tmp_path_factory.mktemp("healthy") / "data"
    one = Appliance(folder, f"bitcoind+{servers[1].url}").init()
    one.analyze()
    return one.chain_rows()


def name_of(kind: str, server: SimulationServer) -> str:
    return f"{kind} {server.url.removeprefix('http://')}"


def sources_of(appliance: Appliance) -> list[tuple[str, int]]:
    return appliance.rows(
        "SELECT source, count(*) FROM blocks GROUP BY source ORDER BY min(height)"
    )


def states_of(appliance: Appliance) -> list[tuple[str, int | None]]:
    return [(one["state"], one["height"]) for one in appliance.last_run()["sources"]]


def test_a_good_first_source_gives_all_blocks_and_the_second_is_only_asked_for_its_tip(
    appliance, first, second, healthy
):
    requests.post(f"{second.url}/simulation/requests", timeout=30)
    report = appliance.analyze()
    assert report["state"] == "ok"
    assert report["source"] == name_of("bitcoind", first)
    assert [one["state"] for one in report["sources"]] == ["ok", "ok"]
    assert sources_of(appliance) == [(name_of("bitcoind", first), TIP - CHAIN.first_height + 1)]
    assert appliance.chain_rows() == healthy
    # Exchange prices come from there, too.
    log = requests.post(f"{second.url}/simulation/requests", timeout=30).json()["requests"]
    asked = {one.partition("?")[0].rpartition("/")[2] for one in log}
    assert asked == {"hash", CHAIN.hash_at(TIP), str(TIP), "historical-price"}


def test_a_source_that_fails_in_the_middle_is_followed_by_the_next_one(
    appliance, first, second, healthy
):
    appliance.analyze("--max-blocks", "60")
    first.set_faults(["reset@block"])
    done = appliance.run("analyze")
    assert done.returncode == 0, done.stderr
    (line,) = (one for one in done.stderr.splitlines() if "going on with" in one)
    assert line.startswith(f"utxoracle: warning: {name_of('bitcoind', first)} lost the connection")
    stored = [(name_of("bitcoind", first), 60), (name_of("mempool", second), TIP - MIDDLE + 1)]
    assert sources_of(appliance) == stored
    assert states_of(appliance) == [("unreachable", TIP), ("ok", TIP)]
    assert appliance.chain_rows() == healthy


def test_a_source_whose_blocks_fail_verification_twice_is_set_aside(
    appliance, first, second, healthy
):
    first.set_faults(["flip-witness@block"])
    done = appliance.run("analyze")
    assert done.returncode == 0, done.stderr
    assert f"{name_of('bitcoind', first)} gave it twice" in done.stderr
    assert sources_of(appliance) == [(name_of("mempool", second), TIP - CHAIN.first_height + 1)]
    assert states_of(appliance) == [("refused", TIP), ("ok", TIP)]
    assert appliance.chain_rows() == healthy


def test_a_source_that_lags_is_passed_over_and_used_again_when_it_has_caught_up(
    appliance, first, second
):
    first.tip = TIP - 3
    report = appliance.analyze()
    assert report["source"] == name_of("mempool", second)
    assert states_of(appliance) == [("behind", TIP - 3), ("ok", TIP)]
    first.tip = TIP
    assert appliance.analyze()["source"] == name_of("bitcoind", first)
    assert states_of(appliance) == [("ok", TIP), ("ok", TIP)]


def test_when_no_source_answers_the_exit_code_is_3_and_both_are_named(appliance, first, second):
    for one in (first, second):
        one.set_faults(["refuse"])
    line = appliance.refused(3, "analyze")
    assert f"{name_of('bitcoind', first)} " in line
    assert f"{name_of('mempool', second)} " in line
    run = appliance.last_run()
    assert (run["exit_code"], run["state"]) == (3, "unreachable")
    assert states_of(appliance) == [("unreachable", None)] * 2
    for one in (first, second):
        one.set_faults([])
    appliance.analyze()
    assert appliance.last_run()["state"] == "ok"


def test_bad_data_of_the_last_source_left_is_exit_code_4(appliance, first, second):
    first.set_faults(["refuse"])
    second.set_faults(["flip@block"])
    done = appliance.run("analyze")
    assert done.returncode == 4
    *_, error = done.stderr.splitlines()
    assert "gave it twice" in error
    assert f"{name_of('bitcoind', first)} " in error
    assert appliance.last_run()["state"] == "refused"


def test_sources_on_different_chains_are_told_and_the_preferred_one_is_stored(
    appliance, first, tmp_path
):
    with SimulationServer(CHAIN) as forked:
        forked.fork(TIP - 1, TIP)
        appliance.environment["UTXORACLE_SOURCE"] = f"bitcoind+{first.url} mempool+{forked.url}"
        done = appliance.run("analyze", "--json")
        assert "utxoracle: warning: the chain is forked: block " in done.stderr
        assert json.loads(done.stdout)["state"] == "forked"
    assert states_of(appliance) == [("ok", TIP), ("forked", TIP)]
    assert "forked" in appliance.run("status").stdout
    assert appliance.rows(f"SELECT hash FROM blocks WHERE height = {TIP}") == [
        (CHAIN.hash_at(TIP),)
    ]


def test_a_stalled_chain_is_priced_told_and_exit_code_0(appliance):
    done = appliance.run("analyze", UTXORACLE_STALL_MINUTES="180")
    assert done.returncode == 0
    assert f"the chain of {name_of_first(appliance)} stalls" in done.stderr
    assert appliance.last_run()["state"] == "stalled"
    status = appliance.run("status", "--json", UTXORACLE_STALL_MINUTES="180")
    assert json.loads(status.stdout)["state"] == "stalled"
    patient = appliance.run("status", "--json")
    assert json.loads(patient.stdout)["state"] == "ok"


def name_of_first(appliance: Appliance) -> str:
    return str(appliance.last_run()["sources"][0]["name"])


def test_a_price_comes_from_the_next_source_as_well(appliance, first, second):
    first.set_faults(["flip@block"])
    done = appliance.run("price", "--window")
    assert done.returncode == 0, done.stderr
    assert name_of("mempool", second) in done.stdout
    assert "going on with" in done.stderr


def test_no_password_is_stored_or_told_whatever_fails(tmp_path):
    with SimulationServer(CHAIN, rest=False, user="me", password="other") as node:
        source = node.url.replace("http://", f"bitcoind+http://me:{SECRET}@")
        told = ""
        for number, faults in enumerate([[], ["reset"], ["half"], ["html"], ["redirect"]]):
            settings = {"UTXORACLE_RETRIES": "1", "UTXORACLE_EXCHANGE_URL": source[9:]}
            appliance = Appliance(tmp_path / str(number), source, **settings).init()
            node.set_faults(faults)
            for arguments in (["analyze", "--json", "--verbose"], ["analyze"], ["status"]):
                done = appliance.run(*arguments)
                told += done.stdout + done.stderr
        assert "refuses the user or password (401)" in told
        assert "Traceback" in told
    assert SECRET not in told
    for path in tmp_path.rglob("*"):
        assert path.is_dir() or SECRET.encode() not in path.read_bytes(), path
