from dataclasses import replace
from datetime import UTC, datetime

import falcon
import pytest
from falcon.testing import TestClient

from tests.conftest import ordinary_user
from tests.unit.store.samples import batch, block_row, day_row
from utxoracle import __version__
from utxoracle.api.answers import Answers
from utxoracle.api.health import Health, Watch
from utxoracle.api.problems import add_problems
from utxoracle.bitcoin.network import REGTEST
from utxoracle.settings import Settings
from utxoracle.store.database import Database
from utxoracle.store.folder import DataFolder
from utxoracle.store.last_run import NO_RUN, write_last_run
from utxoracle.store.snapshot import publish

TOP = 300
NOW = block_row(TOP).time + 300.0
RUN = replace(
    NO_RUN,
    started=NOW - 61.0,
    finished=NOW - 60.0,
    succeeded=NOW - 60.0,
    message="stored block 300",
    state="ok",
    network="regtest",
    source="mempool h:1",
    sources=[
        {"name": "mempool h:1", "state": "ok", "height": TOP},
        {"name": "bitcoind h:2", "state": "unasked", "height": None},
    ],
    routes={"mempool h:1": "/api/v1"},
    tip_height=TOP,
    tip_hash=block_row(TOP).hash,
    tip_time=block_row(TOP).time,
)


@pytest.fixture
def filled(folder):
    """A data folder as a good run leaves it."""
    with Database.open(folder, REGTEST) as database:
        database.commit(batch(1, TOP, days=[day_row(1, last_height=287)]))
    publish(folder)
    write_last_run(folder, RUN)
    return folder


def client_of(folder):
    app = falcon.App()
    add_problems(app)
    watch = Watch(Answers(folder, private=False), folder, Settings(), clock=lambda: NOW)
    app.add_route("/health", Health(watch))
    return TestClient(app)


def health_of(folder):
    return client_of(folder).simulate_get("/health")


def test_all_well_is_200_and_never_kept(filled):
    answer = health_of(filled)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Cache-Control"] == "no-store"
    assert "ETag" not in answer.headers
    assert "Retry-After" not in answer.headers
    told = answer.json
    assert (told["status"], told["reasons"]) == ("healthy", [])
    assert told["network"] == "regtest"
    assert told["version"] == __version__
    assert told["timestamp"] == f"{datetime.fromtimestamp(NOW, UTC):%Y-%m-%dT%H:%M:%SZ}"
    assert {check["status"] for check in told["checks"].values()} == {"ok", "unknown"}
    assert told["checks"]["electrs"]["status"] == "unknown"


def test_clients_of_the_predecessor_find_what_they_look_for(filled):
    told = health_of(filled).json
    assert told["started_at"] == told["timestamp"]
    assert 0 <= told["uptime_seconds"] < 60
    assert told["database"] == "connected"
    assert (told["gaps_detected"], told["missing_dates"]) == (0, [])
    for name in ("database", "electrs", "mempool_backend"):
        assert {"status", "latency_ms", "error", "last_success"} <= {*told["checks"][name]}
    assert told["checks"]["database"]["latency_ms"] > 0
    assert told["checks"]["mempool_backend"] == {
        "status": "ok",
        "detail": "mempool h:1 ok",
        "latency_ms": None,
        "error": None,
        "last_success": f"{datetime.fromtimestamp(RUN.finished, UTC):%Y-%m-%dT%H:%M:%SZ}",
    }


def test_a_back_end_that_leaves_blocks_to_electrs_tells_of_both(filled):
    sources = [{"name": "mempool h:1", "state": "unreachable", "height": None}]
    routes = {"mempool h:1": "electrs h:3000"}
    write_last_run(filled, replace(RUN, sources=sources, routes=routes))
    checks = health_of(filled).json["checks"]
    for name in ("electrs", "mempool_backend"):
        assert (checks[name]["status"], checks[name]["error"]) == ("error", "unreachable")
        assert checks[name]["last_success"] is None


def test_missing_days_are_listed(folder):
    with Database.open(folder, REGTEST) as database:
        database.commit(batch(1, TOP))
    publish(folder)
    write_last_run(folder, RUN)
    answer = health_of(folder)
    assert answer.status_code == 200
    assert (answer.json["gaps_detected"], answer.json["missing_dates"]) == (1, ["2025-11-23"])
    assert answer.json["status"] == "degraded"


def test_without_a_snapshot_it_says_why_and_when_to_ask_again(filled):
    filled.snapshot.unlink()
    answer = health_of(filled)
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "60"
    assert answer.headers["Cache-Control"] == "no-store"
    told = answer.json
    assert told["status"] == "unhealthy"
    assert told["reasons"] == [
        f"{filled.snapshot} is not there: run utxoracle analyze, which publishes "
        f"{filled.database} again"
    ]
    assert (told["database"], told["network"]) == ("disconnected", "regtest")
    assert told["checks"]["database"]["error"] == told["reasons"][0]
    assert told["checks"]["chain"]["status"] == "unknown"


def test_without_a_folder_it_still_answers(filled):
    client = client_of(filled)
    filled.path.rename(filled.path.with_name("elsewhere"))
    answer = client.simulate_get("/health")
    assert answer.status_code == 503
    assert answer.json["network"] is None
    assert len(answer.json["reasons"]) == 2


def test_a_damaged_snapshot_is_told_while_the_one_before_is_in_use(filled, tmp_path):
    client = client_of(filled)
    assert client.simulate_get("/health").json["status"] == "healthy"
    (tmp_path / "junk").write_bytes(b"junk")
    (tmp_path / "junk").replace(filled.snapshot)
    answer = client.simulate_get("/health")
    assert answer.status_code == 200
    assert answer.json["status"] == "degraded"
    assert answer.json["reasons"][0].startswith("an older snapshot is in use, since ")
    assert answer.json["checks"]["price"]["status"] == "ok"
    assert answer.json["database"] == "connected"
    publish(filled)
    assert client.simulate_get("/health").json["status"] == "healthy"


@pytest.mark.parametrize("content", [None, b"junk", b"{}", b"[" * 100_000])
def test_an_unreadable_record_of_the_last_run_is_told(filled, content):
    if content is None:
        filled.last_run.unlink()
    else:
        filled.last_run.write_bytes(content)
    answer = health_of(filled)
    assert answer.status_code == 503
    assert answer.json["reasons"] == [
        "no run is known: last_run.json is not there, or can't be read; run utxoracle analyze"
    ]
    assert answer.json["checks"]["sources"]["status"] == "unknown"


def test_a_record_that_may_not_be_read_is_told(filled, open_folder):
    folder = DataFolder(filled.path.rename(open_folder / "data"))
    folder.path.chmod(0o755)
    folder.snapshot.chmod(0o644)
    folder.last_run.chmod(0)
    with ordinary_user():
        answer = health_of(folder)
    assert answer.status_code == 503
    assert [reason.split(":")[0] for reason in answer.json["reasons"]] == ["no run is known"]


def test_each_look_is_a_new_one(filled):
    client = client_of(filled)
    assert client.simulate_get("/health").status_code == 200
    write_last_run(filled, replace(RUN, exit_code=3, message="down", succeeded=NOW - 9999))
    assert client.simulate_get("/health").status_code == 503


def test_probes_may_ask_in_their_own_way(filled):
    client = client_of(filled)
    assert client.simulate_get("/health?random=1&random=2").status_code == 200
    head = client.simulate_head("/health")
    assert (head.status_code, head.text) == (200, "")
    filled.snapshot.unlink()
    assert client.simulate_head("/health").status_code == 503
