"""Asking a simulated server over sockets, while something goes wrong there."""

import time
from contextlib import contextmanager
from http.client import HTTPConnection

from utxoracle.simulation.faults import Step

SECONDS = 30
HEIGHT = 900


@contextmanager
def faulty(server, *faults):
    server.set_faults(faults)
    try:
        yield
    finally:
        server.set_faults([])


@contextmanager
def connected(server):
    connection = HTTPConnection(server.url.removeprefix("http://"), timeout=SECONDS)
    try:
        yield connection
    finally:
        connection.close()


def ask(connection, path="/api/v1/blocks/tip/hash"):
    connection.request("GET", path)
    return connection.getresponse()


def paths_of(chain, height=HEIGHT):
    block_hash = chain.hash_at(height)
    return {
        Step.TIP: [
            "/api/v1/blocks/tip/hash",
            "/api/v1/blocks/tip/height",
            f"/api/v1/block/{block_hash}",
            "/rest/chaininfo.json",
            ("getblockcount",),
            ("getbestblockhash",),
            ("getblockchaininfo",),
        ],
        Step.HASH: [
            f"/api/v1/block-height/{height}",
            f"/rest/blockhashbyheight/{height}.hex",
            ("getblockhash", height),
        ],
        Step.HEADER: [
            f"/api/v1/block/{block_hash}/header",
            f"/rest/headers/{block_hash}.bin?count=1",
            f"/rest/headers/1/{block_hash}.bin",
            ("getblockheader", block_hash, False),
        ],
        Step.BLOCK: [
            f"/api/v1/block/{block_hash}/raw",
            f"/rest/block/{block_hash}.bin",
            f"/rest/block/{block_hash}.hex",
            ("getblock", block_hash, 0),
        ],
        Step.PRICE: [
            "/api/v1/prices",
            f"/api/v1/historical-price?timestamp={chain.time_at(height)}&currency=USD",
        ],
    }


def send(http, server, wanted):
    if isinstance(wanted, str):
        return http.get(server.url + wanted, timeout=SECONDS, allow_redirects=False)
    method, *params = wanted
    call = {"id": 1, "method": method, "params": params}
    return http.post(server.url, json=call, timeout=SECONDS, allow_redirects=False)


def wait_for(condition):
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)
