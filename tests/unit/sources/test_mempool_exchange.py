import base64
import socket
from threading import Event
from time import time as clock
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.unit.sources.scripted import Reply, as_json, page, scripted_peer, text
from utxoracle.settings import Settings
from utxoracle.simulation.server import SimulationServer
from utxoracle.sources.exchange import ExchangePrice
from utxoracle.sources.factory import open_exchange

HOUR = 3600
NOON = 1_795_356_000
ROUTE = "/api/v1/historical-price"
ALL = f"{ROUTE}?currency=USD"
NONE_IN_TIME = "the server has no row from before the block"
ROW = {"time": NOON, "USD": 60_000}


def one(time: int, base: str = "/api/v1") -> str:
    """Return the path that asks for the price at `time`."""
    return f"{base}/historical-price?timestamp={time}&currency=USD"


def rows_reply(*rows: object) -> Reply:
    return as_json({"prices": rows, "exchangeRates": {"USDEUR": 0.86}})


def hourly(count: int) -> list[dict[str, int]]:
    """Return rows from NOON on, the newest first."""
    return [{"time": NOON + i * HOUR, "USD": 60_000 + i} for i in reversed(range(count))]


def play(server, rows: list[dict[str, int]], everything: Reply | None = None) -> None:
    """Let `server` answer single questions from `rows`, and the one for all with `everything`."""

    def answer(asked) -> Reply:
        timestamp = int(parse_qs(urlsplit(asked.path).query)["timestamp"][0])
        return rows_reply(next(row for row in rows if row["time"] <= timestamp))

    for time in range(NOON, NOON + len(rows) * HOUR, HOUR // 2):
        server.replies[one(time)] = answer
    server.replies[ALL] = everything or rows_reply(*rows)


def all_rows_of(size: int) -> Reply:
    """Return a row of 1 USD at NOON in an answer of `size` bytes."""
    body = b'{"prices":[{"time":%d,"USD":1}]}' % NOON
    return Reply(200, "application/json", body.ljust(size))


@pytest.fixture
def exchange(server):
    source = open_exchange(Settings(source=f"mempool+{server.url}"))
    yield source
    source.close()


def reason_of(exchange, time: int = NOON) -> str:
    (price,) = exchange.prices_at([time])
    assert price.price is None
    assert price.time is None
    assert price.reason == " ".join(price.reason.split())
    assert len(price.reason) <= 160
    return price.reason


def priced(usd: float, time: int) -> ExchangePrice:
    return ExchangePrice(price=usd, time=time, reason=None)


def test_a_few_times_are_asked_for_one_by_one_and_never_for_today(server, exchange):
    play(server, hourly(4))
    times = [NOON + 1800, NOON + 2 * HOUR, NOON, NOON + 3 * HOUR]
    assert exchange.prices_at(times) == [
        priced(60_000, NOON),
        priced(60_002, NOON + 2 * HOUR),
        priced(60_000, NOON),
        priced(60_003, NOON + 3 * HOUR),
    ]
    assert server.paths == [one(time) for time in times]


def test_nothing_is_asked_for_no_times_and_a_time_that_is_given_twice_once(server, exchange):
    play(server, hourly(1))
    assert exchange.prices_at([]) == []
    assert exchange.prices_at([NOON] * 9) == [priced(60_000, NOON)] * 9
    assert server.paths == [one(NOON)]


def test_more_than_a_few_times_are_one_request(server, exchange):
    play(server, hourly(200))
    times = [NOON + hour * HOUR + 60 for hour in reversed(range(200))]
    assert exchange.prices_at(times) == [
        priced(60_000 + hour, NOON + hour * HOUR) for hour in reversed(range(200))
    ]
    assert server.paths == [ALL]


def test_rows_are_kept_also_where_the_newest_is_older_than_the_times(server, exchange):
    play(server, hourly(6))
    times = [NOON + hour * HOUR for hour in range(12)]
    first = exchange.prices_at(times)
    assert exchange.prices_at(times) == first
    assert exchange.prices_at(times[-1:]) == first[-1:]
    assert server.paths == [ALL]


def test_a_time_after_the_rows_were_asked_for_is_asked_for_by_itself(server, exchange):
    play(server, hourly(5))
    exchange.prices_at([NOON + hour * HOUR for hour in range(5)])
    later = int(clock()) + HOUR
    server.replies[one(later)] = rows_reply({"time": later - 60, "USD": 60_005})
    assert exchange.prices_at([NOON, later]) == [
        priced(60_000, NOON),
        priced(60_005, later - 60),
    ]
    assert server.paths == [ALL, one(later)]


def test_times_behind_every_row_get_the_newest_while_it_is_young(server, exchange):
    play(server, hourly(3))
    times = [NOON + hour * HOUR for hour in range(6)]
    assert [price.price or price.reason for price in exchange.prices_at(times)] == [
        60_000,
        60_001,
        60_002,
        60_002,
        60_002,
        "newest row is 3.0 h older than the block",
    ]


@pytest.mark.parametrize(
    "everything",
    [
        text("", content_type="application/json"),
        text("{", content_type="application/json"),
        as_json([]),
        as_json({"prices": {}}),
        as_json({"prices": [{"USD": 5}]}),
        as_json({"error": "too many rows"}, 500),
        as_json({"error": "timestamp is required"}, 400),
        all_rows_of(64_000_001),
    ],
    ids=["empty", "no json", "list", "no rows", "no time", "500", "400", "too long"],
)
def test_every_price_is_asked_for_by_itself_where_the_whole_can_not_be_used(
    server, exchange, everything
):
    play(server, hourly(6), everything)
    times = [NOON + hour * HOUR for hour in range(6)]
    assert [price.price for price in exchange.prices_at(times)] == [60_000 + i for i in range(6)]
    assert server.paths == [ALL, *map(one, times)]


def test_every_row_in_many_megabytes_is_taken(server, exchange):
    server.replies[ALL] = all_rows_of(64_000_000)
    assert exchange.prices_at([NOON + i for i in range(5)]) == [priced(1, NOON)] * 5
    assert server.paths == [ALL]


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (rows_reply(ROW | {"USD": 0}), "the server stored no price"),
        (rows_reply({"time": 0, "USD": -1}), "the server stored no price"),
        (rows_reply(ROW | {"USD": "60000"}), "the server's row has no number for USD"),
        (rows_reply(ROW | {"time": NOON - 11_520}), "newest row is 3.2 h older than the block"),
        (rows_reply(ROW | {"time": NOON + 1}), NONE_IN_TIME),
        (rows_reply(), NONE_IN_TIME),
    ],
)
def test_a_row_that_is_no_price_is_a_reason_of_its_own(server, exchange, reply, reason):
    server.replies[one(NOON)] = reply
    server.replies[one(NOON + 1)] = rows_reply(ROW)
    assert [price.reason for price in exchange.prices_at([NOON, NOON + 1])] == [reason, None]


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (Reply(200, "application/json"), "sent an empty answer: is its database running?"),
        (text("hello"), "something that isn't JSON (text/plain); is this the right address?"),
        (as_json([ROW]), "gave something that isn't exchange prices (no list of rows)"),
        (as_json({"prices": ROW}), "gave something that isn't exchange prices (no list of rows)"),
        (rows_reply(ROW | {"time": "x"}), "that isn't exchange prices (a row has no time)"),
        (as_json({"error": "no\nluck"}, 500), "with 500 no luck: try again later"),
        (text("slow down", 429), "with 429 slow down: try again later"),
        (Reply(200, "application/json", bytes(256_001)), "sends more than the 256,000 bytes"),
    ],
)
def test_a_server_that_fails_is_not_asked_on_and_gives_one_reason(server, exchange, reply, reason):
    server.replies[one(NOON)] = rows_reply(ROW)
    server.replies[one(NOON + 1)] = reply
    prices = exchange.prices_at([NOON, NOON + 1, NOON + 2, NOON + 3])
    assert server.paths == [one(NOON), one(NOON + 1)]
    assert prices[0] == priced(60_000, NOON)
    assert prices[1] == prices[2] == prices[3]
    assert prices[1].reason.startswith(f"mempool {server.place} ")
    assert reason in prices[1].reason
    assert reason in reason_of(exchange, NOON + 1)


def test_a_server_that_fails_at_every_price_is_asked_twice_at_most(server, exchange):
    server.replies[one(NOON)] = rows_reply(ROW)
    exchange.prices_at([NOON])
    broken = text("broken", 503)
    server.replies = dict.fromkeys((ALL, *(one(NOON + i) for i in range(99))), broken)
    assert {price.reason for price in exchange.prices_at([NOON + i for i in range(99)])} == {
        f"mempool {server.place} answered GET {server.url}{ROUTE} with 503 broken: try again later"
    }
    assert server.paths == [one(NOON), ALL, one(NOON)]


def test_a_refused_connection_is_a_reason_that_is_the_same_at_every_time(closed_port):
    exchange = open_exchange(Settings(source=f"mempool+http://u:hunter2@127.0.0.1:{closed_port}"))
    place = f"127.0.0.1:{closed_port}"
    wanted = (
        f"mempool {place} refused the connection: is it running? "
        f"(GET http://{place}/api/v1/historical-price)"
    )
    assert reason_of(exchange, NOON) == wanted
    assert reason_of(exchange, NOON + 600) == wanted
    assert {price.reason for price in exchange.prices_at(range(NOON, NOON + 50))} == {wanted}


def test_a_long_reason_is_cut_off(server, exchange):
    exchange = open_exchange(Settings(source=f"mempool+{server.url}/{'x' * 200}"))
    reason = reason_of(exchange)
    assert len(reason) <= 160
    server.replies[f"/{'x' * 200}{one(NOON)}"] = as_json({"error": "y" * 99}, 500)
    reason = reason_of(exchange)
    assert len(reason) == 160
    assert reason.endswith("x…")


def test_the_time_limit_is_the_one_of_exchange_prices(server):
    gate = Event()

    def hang(_) -> Reply:
        gate.wait(20)
        return rows_reply(ROW)

    server.replies[one(NOON)] = hang
    exchange = open_exchange(Settings(source=f"mempool+{server.url}", exchange_timeout=0.3))
    assert f"mempool {server.place} sent nothing for 0.3 s" in reason_of(exchange)
    gate.set()
    exchange.close()


def test_an_answer_that_is_too_slow_names_the_setting():
    gate = Event()

    def begin_only(peer: socket.socket) -> None:
        peer.sendall(b"HTTP/1.1 200 OK\r\n")
        gate.wait(20)

    with scripted_peer(begin_only) as place:
        exchange = open_exchange(Settings(source=f"mempool+http://{place}", exchange_timeout=0.3))
        reason = reason_of(exchange)
        gate.set()
    assert "more than 0.3 s; try again, or raise UTXORACLE_EXCHANGE_TIMEOUT" in reason


@pytest.mark.parametrize("path", ["", "/behind/a/proxy"])
@pytest.mark.parametrize("base", ["/api/v1", "/api", ""])
@pytest.mark.parametrize("wrong", [page(200), page(404), page(502), text("no such route", 404)])
def test_the_base_is_found_by_asking_for_the_price_itself_and_remembered(server, path, base, wrong):
    for other in ("/api/v1", "/api", ""):
        server.replies[path + one(NOON, other)] = wrong
    server.replies[path + one(NOON, base)] = rows_reply(ROW)
    server.replies[path + one(NOON + 1, base)] = rows_reply(ROW)
    exchange = open_exchange(Settings(source=f"mempool+{server.url}{path}"))
    assert exchange.prices_at([NOON]) == [priced(60_000, NOON)]
    asked = len(server.paths)
    assert exchange.prices_at([NOON + 1]) == [priced(60_000, NOON)]
    assert server.paths[asked:] == [path + one(NOON + 1, base)]
    exchange.close()


def test_the_base_is_also_found_by_asking_for_every_price(server, exchange):
    server.replies[ALL] = page()
    server.replies["/api/historical-price?currency=USD"] = rows_reply(*hourly(9))
    assert exchange.prices_at(range(NOON, NOON + 9)) == [priced(60_000, NOON)] * 9
    assert server.paths == [ALL, "/api/historical-price?currency=USD"]


def test_pages_everywhere_are_a_wrong_address(server, exchange):
    wanted = f"mempool {server.place} has no exchange prices at /api/v1, /api or /: is this the"
    assert reason_of(exchange).startswith(wanted)
    for base in ("/api/v1", "/api", ""):
        server.replies[one(NOON, base)] = page()
    assert reason_of(exchange).startswith(wanted)
    server.replies[one(NOON)] = page(502)
    assert reason_of(exchange).endswith(f"{ROUTE} with 502: try again later")


def test_a_base_is_looked_for_again_after_an_outage(server, exchange):
    server.replies[one(NOON)] = page(502)
    reason_of(exchange)
    server.replies[one(NOON)] = rows_reply(ROW)
    assert exchange.prices_at([NOON]) == [priced(60_000, NOON)]


def test_a_user_of_the_url_is_sent_and_not_shown(server):
    exchange = open_exchange(Settings(source=f"mempool+http://me:hunter2@{server.place}"))
    reason = reason_of(exchange)
    assert "hunter2" not in reason + exchange.name
    wanted = "Basic " + base64.b64encode(b"me:hunter2").decode()
    assert {asked.headers["Authorization"] for asked in server.asked} == {wanted}
    exchange.close()


def test_one_by_one_and_all_at_once_give_the_same_of_a_simulated_server(chain):
    times = [chain.time_at(one) for one in range(chain.first_height, chain.tip_height + 1)]
    times += [times[0] - 2 * HOUR, times[-1] + HOUR, times[-1] + 4 * HOUR]
    with SimulationServer(chain) as server:
        at_once = open_exchange(Settings(source=f"mempool+{server.url}"))
        single = open_exchange(Settings(source=f"mempool+{server.url}/api"))
        prices = at_once.prices_at(times)
        assert [price for time in times for price in single.prices_at([time])][:-3] == prices[:-3]
        assert all(one.price for one in prices[:-3])
        assert [bool(one.price) for one in prices[-3:]] == [False, True, False]
        at_once.close()
        single.close()
