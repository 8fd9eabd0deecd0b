import json
import re
from dataclasses import replace
from pathlib import Path

import falcon
import pytest
from falcon.testing import TestClient
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as parse_openmetrics,
)
from prometheus_client.parser import text_string_to_metric_families as parse_text

from tests.unit.api.test_health import NOW, RUN, TOP
from tests.unit.store.samples import (
    NO_EXCHANGE,
    NO_PRICE,
    batch,
    block_row,
    day_row,
    facts,
    window_row,
)
from utxoracle import __version__
from utxoracle.api.answers import Answers
from utxoracle.api.health import Watch
from utxoracle.api.metrics import Metrics
from utxoracle.bitcoin.network import REGTEST
from utxoracle.settings import Settings
from utxoracle.sources.exchange import ExchangePrice
from utxoracle.store.database import Database
from utxoracle.store.last_run import write_last_run
from utxoracle.store.snapshot import publish

DASHBOARD = Path(__file__).resolve().parents[3] / "docs" / "grafana-dashboard.json"
NAME = re.compile(r"\butxoracle_[a-z_]+")
PRICES = {"price_usd", "exchange_price_usd", "price_difference_ratio", "price_diverges"}


@pytest.fixture
def filled(folder):
    """A data folder with a window price of 60,000 USD, an exchange price of 63,000, and a run."""
    rows = batch(1, TOP, days=[day_row(1, last_height=287)])
    newest = replace(
        window_row(TOP, exchange=ExchangePrice(63_000.0, NOW - 900, None)),
        facts=facts(60_000.0),
        diverges=True,
    )
    store(folder, replace(rows, windows=[*rows.windows[:-1], newest]))
    write_last_run(folder, RUN)
    return folder


def store(folder, rows):
    with Database.open(folder, REGTEST) as database:
        database.commit(rows)
    publish(folder)


def scraped(folder, accept=None, now=NOW):
    app = falcon.App()
    watch = Watch(Answers(folder, private=False), folder, Settings(), clock=lambda: now)
    app.add_route("/metrics", Metrics(watch))
    headers = {} if accept is None else {"Accept": accept}
    return TestClient(app).simulate_get("/metrics", headers=headers)


def samples_of(answer):
    """Return all values, by name without the prefix, or by name and labels."""
    assert answer.status_code == 200
    return {
        (name, *sample.labels.values()) if sample.labels else name: sample.value
        for family in parse_text(answer.text)
        for sample in family.samples
        if (name := sample.name.removeprefix("utxoracle_"))
    }


def test_prices_and_how_things_are_can_be_scraped(filled):
    found = samples_of(scraped(filled))
    assert {name: found[name] for name in found if isinstance(name, str)} == {
        "snapshot_up": 1,
        "snapshot_revision": 1,
        "block_height": TOP,
        "block_timestamp_seconds": block_row(TOP).time,
        "price_usd": 60_000,
        "exchange_price_usd": 63_000,
        "price_difference_ratio": 0.05,
        "price_valid": 1,
        "price_diverges": 1,
        "confidence_ratio": 2 / 3,
        "window_age_seconds": 300,
        "daily_price_usd": 60_000 + 1 / 3,
        "daily_price_timestamp_seconds": 1_763_899_200,
        "daily_price_valid": 1,
        "last_run_timestamp_seconds": RUN.finished,
        "last_run_duration_seconds": 1,
        "last_run_exit_code": 0,
        "last_run_success": 1,
        "last_success_timestamp_seconds": RUN.succeeded,
    }
    assert found["build_info", __version__] == 1


@pytest.mark.parametrize(
    ("labels", "current"),
    [
        (("chain_state",), "ok"),
        (("health_status",), "degraded"),
        (("source_state", "mempool h:1"), "ok"),
        (("source_state", "bitcoind h:2"), "unasked"),
    ],
)
def test_of_all_states_one_is_1(filled, labels, current):
    found = samples_of(scraped(filled))
    states = {key[-1]: value for key, value in found.items() if key[:-1] == labels}
    assert len(states) > 2
    assert {state for state, value in states.items() if value} == {current}


def test_a_height_that_is_not_known_has_no_sample(filled):
    found = samples_of(scraped(filled))
    assert found["source_height", "mempool h:1"] == TOP
    assert ("source_height", "bitcoind h:2") not in found


def test_the_name_of_a_source_may_hold_anything(filled):
    name = 'files /data "of\\mine"\nand {more}'
    write_last_run(filled, replace(RUN, sources=[{"name": name, "state": "ok", "height": 7}]))
    assert samples_of(scraped(filled))["source_height", name] == 7


def test_without_an_exchange_price_there_is_no_difference(filled):
    rows = batch(TOP + 1, TOP + 1)
    store(filled, replace(rows, windows=[window_row(TOP + 1, exchange=NO_EXCHANGE)]))
    found = samples_of(scraped(filled))
    assert found["price_usd"] == 60_000 + 1 / 3
    assert {*found} & PRICES == {"price_usd"}
    assert found["price_valid"] == 1


def test_without_an_on_chain_price_there_is_none(filled):
    rows = batch(TOP + 1, TOP + 1)
    row = replace(window_row(TOP + 1), facts=NO_PRICE, diverges=None)
    store(filled, replace(rows, windows=[row]))
    found = samples_of(scraped(filled))
    assert {*found} & PRICES == {"exchange_price_usd"}
    assert found["price_valid"] == 0


def test_without_a_snapshot_the_rest_is_still_told(filled):
    filled.snapshot.unlink()
    found = samples_of(scraped(filled))
    assert found["snapshot_up"] == 0
    assert found["health_status", "unhealthy"] == 1
    assert found["last_run_success"] == 1
    assert found["chain_state", "ok"] == 1
    assert not {*found} & {*PRICES, "block_height", "snapshot_revision", "daily_price_usd"}


def test_an_empty_database_gives_no_number_that_nobody_knows(folder):
    found = samples_of(scraped(folder))
    assert {name for name in found if isinstance(name, str)} == {"snapshot_up", "snapshot_revision"}
    assert {name[0] for name in found if not isinstance(name, str)} == {
        "build_info", "health_status",
    }  # fmt: skip


def test_a_failed_run_is_told_beside_the_last_good_one(filled):
    failed = replace(RUN, exit_code=3, state="unreachable", started=NOW - 9.5, finished=NOW - 8.0)
    write_last_run(filled, failed)
    found = samples_of(scraped(filled))
    assert (found["last_run_success"], found["last_run_exit_code"]) == (0, 3)
    assert found["last_run_duration_seconds"] == 1.5
    assert found["last_run_timestamp_seconds"] == NOW - 8
    assert found["last_success_timestamp_seconds"] == RUN.succeeded
    assert found["chain_state", "unreachable"] == 1


def test_a_block_may_be_stamped_ahead_of_the_clock(filled):
    ahead = samples_of(scraped(filled, now=block_row(TOP).time - 7200))
    assert ahead["window_age_seconds"] == -7200


def test_who_asks_for_openmetrics_gets_it(filled):
    text = scraped(filled)
    assert text.headers["Content-Type"].startswith("text/plain; version=")
    accept = "application/openmetrics-text; version=1.0.0,text/plain;q=0.5"
    answer = scraped(filled, accept=accept)
    assert answer.headers["Content-Type"].startswith("application/openmetrics-text; version=1.0.0")
    assert answer.headers["Vary"] == text.headers["Vary"] == "Accept"
    assert answer.text.endswith("# EOF\n")
    assert [
        (sample.name, sample.labels, sample.value)
        for family in parse_openmetrics(answer.text)
        for sample in family.samples
    ] == [
        (sample.name, sample.labels, sample.value)
        for family in parse_text(text.text)
        for sample in family.samples
    ]


def test_each_scrape_is_a_new_one(filled):
    assert scraped(filled).headers["Cache-Control"] == "no-store"
    before = samples_of(scraped(filled))["block_height"]
    store(filled, batch(TOP + 1, TOP + 1))
    assert samples_of(scraped(filled))["block_height"] == before + 1


def test_names_follow_the_conventions_of_prometheus(filled):
    families = [*parse_text(scraped(filled).text)]
    for family in families:
        assert re.fullmatch("utxoracle_[a-z]+(_[a-z]+)*", family.name)
        assert family.type == "gauge"
        assert family.documentation.endswith(".")
        assert not family.name.endswith(("_gauge", "_total", "_count", "_percent", "_ms"))
    assert len({family.name for family in families}) == len(families)


def test_the_dashboard_shows_metrics_that_there_are(filled):
    dashboard = json.loads(DASHBOARD.read_text())
    queries = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    known = {family.name for family in parse_text(scraped(filled).text)}
    shown = {name for query in queries for name in NAME.findall(query)}
    assert shown <= known
    assert {"utxoracle_price_usd", "utxoracle_source_state", "utxoracle_window_age_seconds"} < shown
    assert all('{job=~"$job"' in query for query in queries)


def test_the_dashboard_takes_any_data_source_and_panels_do_not_overlap():
    dashboard = json.loads(DASHBOARD.read_text())
    assert [one["name"] for one in dashboard["templating"]["list"]] == ["datasource", "job"]
    cells = set()
    for panel in dashboard["panels"]:
        assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
        assert all(one["datasource"] == panel["datasource"] for one in panel["targets"])
        at = panel["gridPos"]
        covered = {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}
        assert not covered & cells
        assert max(x for x, _ in covered) < 24
        cells |= covered
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])
