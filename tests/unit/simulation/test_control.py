"""What a served chain tells of the requests it got, and a server that takes its time."""

import select
import threading
import time
from contextlib import ExitStack
from http.client import HTTPConnection
from math import inf, nan

import pytest

from utxoracle.errors import UsageError
from utxoracle.simulation.answers import Request
from utxoracle.simulation.control import MOST_REQUESTS, RequestLog
from utxoracle.simulation.server import SimulationServer

SECONDS = 30
AN_HOUR = 3600


def taken(http, server):
    answer = http.post(f"{server.url}/simulation/requests")
    assert answer.headers["Content-Type"] == "application/json"
    return answer.json()["requests"]


def test_all_requests_are_told_once_in_their_order_and_as_they_were_sent(small_chain, http):
    with SimulationServer(small_chain) as server:
        assert taken(http, server) == []
        http.get(f"{server.url}/api/v1/blocks/tip/hash")
        http.get(f"{server.url}/api/v1/historical-price?timestamp=5&currency=US%20D")
        http.get(f"{server.url}/rest/chaininfo.json")
        http.post(server.url, json={"id": 1, "method": "getblockcount"})
        http.head(f"{server.url}/no%20such/route")
        http.post(f"{server.url}/nowhere", data="x")
        assert taken(http, server) == [
            "GET /api/v1/blocks/tip/hash",
            "GET /api/v1/historical-price?timestamp=5&currency=US%20D",
            "GET /rest/chaininfo.json",
            "POST /",
            "HEAD /no%20such/route",
            "POST /nowhere",
        ]
        assert taken(http, server) == []


def test_requests_of_the_simulation_itself_are_left_out(small_chain, http):
    with SimulationServer(small_chain) as server:
        http.get(f"{server.url}/simulation/tip")
        http.post(f"{server.url}/simulation/tip", json={"by": -1})
        http.post(f"{server.url}/simulation/fork", json={"height": 900, "tip": 901})
        assert http.get(f"{server.url}/simulation/requests").status_code == 404
        assert http.get(f"{server.url}/simulation/nothing").status_code == 404
        assert taken(http, server) == []


def test_the_newest_requests_are_kept():
    log = RequestLog()
    for number in range(MOST_REQUESTS + 5):
        log.record(Request(method="GET", target=f"/{number}", path=f"/{number}"))
    lines = log.take()
    assert (lines[0], lines[-1]) == ("GET /5", f"GET /{MOST_REQUESTS + 4}")
    assert len(lines) == MOST_REQUESTS
    assert log.take() == []


def raw_block_requests(block_hash):
    body = b'[{"method": "getblock", "params": ["%b", 0]}]' % block_hash.encode()
    return [
        ("GET", f"/api/v1/block/{block_hash}/raw", None),
        ("GET", f"/api/block/{block_hash}/raw", None),
        ("GET", f"/rest/block/{block_hash}.bin", None),
        ("GET", f"/rest/block/{block_hash}.hex", None),
        ("POST", "/", body),
    ]


def test_a_slow_server_takes_its_time_for_raw_blocks_only(small_chain, http):
    block_hash = small_chain.hash_at(900)
    threads = threading.active_count()
    with SimulationServer(small_chain, delay=AN_HOUR) as server, ExitStack() as stack:
        waiting = []
        for request in raw_block_requests(block_hash):
            connection = HTTPConnection(server.url.removeprefix("http://"), timeout=SECONDS)
            stack.callback(connection.close)
            connection.request(*request)
            waiting.append(connection.sock)
        for path in (
            "/api/v1/blocks/tip/hash",
            "/api/v1/block-height/900",
            f"/api/v1/block/{block_hash}",
            f"/api/v1/block/{block_hash}/header",
            f"/api/v1/block/{block_hash}/txids",
            f"/rest/headers/{block_hash}.bin",
            "/rest/chaininfo.json",
        ):
            assert http.get(server.url + path, timeout=SECONDS).status_code == 200
        assert http.get(f"{server.url}/rest/block/{64 * '0'}.bin").status_code == 404
        call = {"method": "getblockheader", "params": [block_hash]}
        assert http.post(server.url, json=call, timeout=SECONDS).status_code == 200
        answered, _, _ = select.select(waiting, [], [], 0.2)
        assert answered == []
        # The end of the server is the end of all waiting.
        server.close()
        assert [one.recv(1) for one in waiting] == [b""] * len(waiting)
        deadline = time.monotonic() + SECONDS
        while threading.active_count() > threads:
            assert time.monotonic() < deadline


def test_a_slow_server_sends_the_same_blocks(small_chain, http):
    raw = small_chain.raw_block(900)
    with SimulationServer(small_chain, delay=0.01) as server:
        bodies = [
            http.request(method, server.url + path, data=body).content
            for method, path, body in raw_block_requests(small_chain.hash_at(900))
        ]
    assert bodies[:4] == [raw, raw, raw, raw.hex().encode() + b"\n"]
    assert raw.hex().encode() in bodies[4]


@pytest.mark.parametrize("delay", [-1, nan, inf, 1e30])
def test_a_delay_that_can_not_be_waited_for_is_refused(small_chain, delay):
    with pytest.raises(UsageError, match="give another delay"):
        SimulationServer(small_chain, delay=delay)
