"""Exchange prices beside the on-chain ones: never in their way, and never invented."""

from datetime import UTC, datetime, timedelta
from time import monotonic, sleep
from urllib.parse import urlsplit

import pytest

from tests.appliance import Appliance, simulated_node
from tests.unit.simulation.test_recorded import FOLDER, MISSING, recorded
from tests.unit.sources.scripted import Reply, ScriptedServer, as_json

START = datetime.now(UTC).date() - timedelta(days=2)
FIRST = 800
TIP = FIRST + 150
HOUR = 3600

REASONS = "SELECT DISTINCT exchange_price, exchange_time, exchange_reason FROM window_prices"


@pytest.fixture(scope="module")
def node():
    options = f"seed=6,days=2,transactions=30,start={START},start_height={FIRST}"
    with simulated_node(options, f"--tip={TIP}") as node:
        yield node


@pytest.fixture
def server():
    with ScriptedServer() as server:
        yield server


def answers(server: ScriptedServer, reply) -> None:
    """Let the server answer everything that is asked about prices with one reply."""

    class Everything(dict):
        def get(self, path, otherwise=None):
            found = urlsplit(path).path == "/api/v1/historical-price"
            return reply if found else otherwise

    server.replies = Everything()


def filled(node, folder, exchange_url: str) -> Appliance:
    appliance = Appliance(folder, node.bitcoind, UTXORACLE_EXCHANGE_URL=exchange_url).init()
    report = appliance.analyze()
    assert (report["caught_up"], report["windows"]) == (True, 7)
    return appliance


def hourly(usd: float) -> Reply:
    """Return hourly rows of one price for the last days, the newest first."""
    now = int(datetime.now(UTC).timestamp()) // HOUR * HOUR
    rows = [{"time": now - hours * HOUR, "USD": usd} for hours in range(24 * 9)]
    return as_json({"prices": rows, "exchangeRates": {}})


def test_a_mempool_source_gives_exchange_prices_too(node, tmp_path):
    appliance = Appliance(tmp_path / "data", node.mempool).init()
    appliance.analyze()
    for price, exchange, age, reason, apart in appliance.rows(
        "SELECT price, exchange_price, epoch(time - exchange_time), exchange_reason, diverges "
        "FROM window_prices"
    ):
        assert abs(price - exchange) < 0.1 * price
        assert 0 <= age <= 7200
        assert reason is None
        assert apart == (100 * abs(exchange - price) / price >= 3)


def test_a_catch_up_asks_for_all_exchange_prices_at_once(node, server, tmp_path):
    answers(server, hourly(60_000))
    appliance = filled(node, tmp_path / "data", server.url)
    assert appliance.rows("SELECT DISTINCT exchange_price FROM window_prices") == [(60_000,)]
    assert server.paths == ["/api/v1/historical-price?currency=USD"]


def test_prices_far_apart_diverge_and_are_valid_all_the_same(node, server, tmp_path):
    answers(server, hourly(70_000))
    appliance = filled(node, tmp_path / "data", server.url)
    assert appliance.rows("SELECT DISTINCT diverges, is_valid FROM window_prices") == [(True, True)]
    assert "DIVERGES" in appliance.run("status").stdout


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("dbdown-historical-price", "empty answer"),
        ("electrum-historical-price", "not available on testnets"),
        ("esplora-noelectrs-prices", "isn't exchange prices"),
        ("historical-exchanges-down", "row"),
    ],
)
def test_what_real_back_ends_answer_without_a_price_is_no_price(
    node, server, tmp_path, name, reason
):
    if not FOLDER.is_dir():
        pytest.skip(MISSING)
    real = recorded(name)
    answers(server, Reply(real.status, real.content_type or "", real.body))
    appliance = filled(node, tmp_path / "data", server.url)
    for price, time, told in appliance.rows(REASONS):
        assert (price, time) == (None, None)
        assert reason in told
    assert appliance.rows("SELECT DISTINCT diverges FROM window_prices") == [(None,)]


def test_a_server_that_hangs_delays_a_run_by_seconds_and_fails_nothing(node, server, tmp_path):
    def hang(_) -> Reply:
        sleep(8)
        return hourly(60_000)

    answers(server, hang)
    begun = monotonic()
    appliance = filled(node, tmp_path / "data", server.url)
    spent = monotonic() - begun
    ((price, _, reason),) = appliance.rows(REASONS)
    assert price is None
    assert "too slow" in reason
    # Seven batches would each have waited for it.
    assert len(server.paths) == 1
    assert spent < 100


def test_a_server_that_is_down_is_asked_again_when_a_block_comes(node, server, tmp_path):
    node.show(TIP)
    down = "http://127.0.0.1:1"
    appliance = filled(node, tmp_path / "data", down)
    ((price, _, reason),) = appliance.rows(REASONS)
    assert price is None
    assert "refused the connection" in reason
    before = appliance.chain_rows()
    answers(server, hourly(60_000))
    node.show(TIP + 1)
    appliance.analyze(UTXORACLE_EXCHANGE_URL=server.url)
    node.show(TIP)
    assert appliance.rows("SELECT DISTINCT exchange_price, diverges FROM window_prices") == [
        (60_000, False)
    ]
    assert appliance.chain_rows()["windows"][: len(before["windows"])] == before["windows"]


def test_nobody_is_asked_where_no_server_is_set(node, tmp_path):
    for folder, exchange_url in (("unset", ""), ("none", "none")):
        appliance = filled(node, tmp_path / folder, exchange_url)
        assert appliance.rows(REASONS) == [(None, None, "no exchange source is set")]


def test_a_password_for_exchange_prices_is_shown_nowhere(node, server, tmp_path):
    answers(server, Reply(401, "text/plain", b"no"))
    url = server.url.replace("http://", "http://user:s3cret@")
    appliance = filled(node, tmp_path / "data", url)
    for path in (appliance.database, appliance.folder / "last_run.json"):
        assert b"s3cret" not in path.read_bytes()
