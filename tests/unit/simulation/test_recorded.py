"""The simulated servers against what the real ones answered."""

import json
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from utxoracle.simulation.role import Role
from utxoracle.simulation.server import SimulationServer
from utxoracle.simulation.view import NodeState

FOLDER = Path(__file__).resolve().parents[3].parent / "shared" / "recorded"
MISSING = "no recorded answers at ../shared/recorded: the simulated servers aren't compared"

UNKNOWN = "0" * 61 + "abc"
KNOWN = "{hash}"

MEMPOOL_CASES = {
    "electrum-tip-hash": "/blocks/tip/hash",
    "electrum-tip-height": "/blocks/tip/height",
    "electrum-block-height": "/block-height/900",
    "electrum-block-height-beyond-tip": "/block-height/9999999",
    "electrum-block-height-negative": "/block-height/-1",
    "electrum-block-height-notnumber": "/block-height/abc",
    "electrum-block": f"/block/{KNOWN}",
    "electrum-block-unknown": f"/block/{UNKNOWN}",
    "electrum-block-badhash": "/block/xyz",
    "electrum-block-header": f"/block/{KNOWN}/header",
    "electrum-block-header-unknown": f"/block/{UNKNOWN}/header",
    "electrum-block-raw": f"/block/{KNOWN}/raw",
    "electrum-block-raw-unknown": f"/block/{UNKNOWN}/raw",
    "electrum-block-raw-badhash": "/block/xyz/raw",
    "electrum-block-txids": f"/block/{KNOWN}/txids",
    "electrum-block-txids-unknown": f"/block/{UNKNOWN}/txids",
    "electrum-block-txs": f"/block/{KNOWN}/txs",
    "electrum-block-txs-7": f"/block/{KNOWN}/txs/7",
    "electrum-block-txs-beyond": f"/block/{KNOWN}/txs/99999",
    "electrum-block-txs-unknown": f"/block/{UNKNOWN}/txs/0",
    "electrum-block-summary": f"/block/{KNOWN}/summary",
    "electrum-block-summary-unknown": f"/block/{UNKNOWN}/summary",
    "electrum-blocks": "/blocks",
    "electrum-blocks-N": "/blocks/900",
    "electrum-blocks-beyond": "/blocks/9999999",
    "electrum-blocks-nan": "/blocks/abc",
    "electrum-chain-tips": "/chain-tips",
    "electrum-health": "/health",
    "electrum-prices": "/prices",
    "electrum-backend-info": "/backend-info",
    "electrum-nosuchroute": "/no/such/route",
    "electrum-block-status": f"/block/{KNOWN}/status",
    "historical-now": "/historical-price?timestamp={time}&currency=USD",
    "historical-eur": "/historical-price?timestamp={time}&currency=EUR",
    "historical-nocur": "/historical-price?timestamp={time}",
    "historical-nan": "/historical-price?timestamp=abc&currency=USD",
    "historical-usd-lower": "/historical-price?timestamp={time}&currency=usd",
    "none-historical-price-badcur": "/historical-price?timestamp={time}&currency=XXX",
    "none-historical-price-ancient": "/historical-price?timestamp=1231006505&currency=USD",
}
CASES = {
    **{name: "/api/v1" + path for name, path in MEMPOOL_CASES.items()},
    "be8999-root": "/",
    "be8999-noprefix": "/blocks/tip/height",
    "core-rest-block-bin": f"/rest/block/{KNOWN}.bin",
    "core-rest-block-hex": f"/rest/block/{KNOWN}.hex",
    "core-rest-block-badhash": "/rest/block/xyz.bin",
    "core-rest-block-unknown": f"/rest/block/{UNKNOWN}.bin",
    "core-rest-blockhashbyheight": "/rest/blockhashbyheight/900.json",
    "core-rest-blockhashbyheight-hex": "/rest/blockhashbyheight/900.hex",
    "core-rest-blockhashbyheight-beyond": "/rest/blockhashbyheight/999999.json",
    "core-rest-block-notxdetails-json": f"/rest/block/notxdetails/{KNOWN}.json",
    "core-rest-blockpart": f"/rest/blockpart/{KNOWN}.bin?offset=0&size=80",
    "core-rest-headers": f"/rest/headers/{KNOWN}.json?count=3",
    "reorg4-core-rest-headers-old117": f"/rest/headers/{UNKNOWN}.json?count=1",
    "core-rest-chaininfo": "/rest/chaininfo.json",
    "core-rest-nosuch": "/rest/nosuch",
}
CALLS = {
    "core-rpc-getblockcount": ("1.0", "getblockcount", []),
    "core-rpc-getblockhash": ("1.0", "getblockhash", [900]),
    "core-rpc-getblockhash-beyond": ("1.0", "getblockhash", [999999]),
    "core-rpc-getblock-0": ("1.0", "getblock", [KNOWN, 0]),
    "core-rpc-getblock-unknown": ("1.0", "getblock", [UNKNOWN, 0]),
    "core-rpc-v2-unknown": ("2.0", "getblock", [UNKNOWN, 0]),
    "core-rpc-getblockheader": ("1.0", "getblockheader", [KNOWN, True]),
    "core-rpc-getblockchaininfo": ("1.0", "getblockchaininfo", []),
}


@dataclass(frozen=True)
class Recorded:
    """A recorded answer: its status, its content type without spaces, and its body."""

    status: int
    content_type: str | None
    body: bytes


def recorded(name):
    text = (FOLDER / f"{name}.txt").read_bytes()
    answer = text[text.index(b"\nHTTP/1.1 ") + 1 :]
    head, _, body = answer.partition(b"\n\n")
    status, *lines = head.decode().splitlines()
    headers = {key.lower(): value for key, _, value in (line.partition(": ") for line in lines)}
    length = int(headers.get("content-length", len(body)))
    return Recorded(int(status.split()[1]), headers.get("content-type"), body[:length])


def assert_same_kind(answer, real):
    assert answer.status_code == real.status
    assert answer.headers.get("Content-Type") == real.content_type
    if real.status >= 400 and not real.body.startswith(b"<!DOCTYPE"):
        assert answer.content == real.body


def keys_of(value):
    """Return the names of a JSON object, or of the objects in a list of them."""
    if isinstance(value, list):
        return set().union(*map(keys_of, value))
    return set(value) if isinstance(value, dict) else set()


@pytest.fixture(scope="module")
def server(small_chain):
    if not FOLDER.is_dir():
        pytest.skip(MISSING)
    with SimulationServer(small_chain) as running:
        yield running


@pytest.mark.parametrize("name", CASES)
def test_a_get_is_answered_as_the_real_server_did(server, small_chain, name):
    real = recorded(name)
    path = CASES[name].format(hash=small_chain.hash_at(900), time=small_chain.time_at(900))
    answer = requests.get(server.url + path, timeout=10)
    assert_same_kind(answer, real)
    if "json" in (real.content_type or ""):
        try:
            value = json.loads(real.body)
        except ValueError:
            # The recording of a long body was cut.
            return
        assert keys_of(answer.json()) <= keys_of(value)
        assert bool(keys_of(answer.json())) == bool(keys_of(value))


@pytest.mark.parametrize("name", CALLS)
def test_a_call_is_answered_as_bitcoind_did(server, small_chain, name):
    real = recorded(name)
    version, method, params = CALLS[name]
    params = [small_chain.hash_at(900) if one == KNOWN else one for one in params]
    call = {"jsonrpc": version, "id": 1, "method": method, "params": params}
    answer = requests.post(server.url, json=call, timeout=10)
    assert_same_kind(answer, real)
    if len(real.body) < 5000:
        value = json.loads(real.body)
        assert keys_of(answer.json()) == keys_of(value)
        assert keys_of(answer.json().get("result")) <= keys_of(value.get("result"))


ESPLORA_CASES = {
    "esplora-noelectrs-backend-info": "/backend-info",
    "esplora-noelectrs-block": f"/block/{KNOWN}",
    "esplora-noelectrs-block-header": f"/block/{KNOWN}/header",
    "esplora-noelectrs-block-height": "/block-height/900",
    "esplora-noelectrs-block-raw": f"/block/{KNOWN}/raw",
    "esplora-noelectrs-block-txids": f"/block/{KNOWN}/txids",
    "esplora-noelectrs-block-txs": f"/block/{KNOWN}/txs/0",
    "esplora-noelectrs-prices": "/prices",
    "esplora-noelectrs-tip-hash": "/blocks/tip/hash",
}
FRONT_END_CASES = {
    "fe8080-root": "/",
    "fe8080-v1-noapi": "/v1/prices",
    "fe8080-api-slash": "/api/",
    "fe8080-api-tip-hash": "/api/blocks/tip/hash",
    "fe8080-api-block-height": "/api/block-height/900",
    "fe8080-api-block-raw": f"/api/block/{KNOWN}/raw",
    "fe8080-apiv1-block-raw": f"/api/v1/block/{KNOWN}/raw",
    "fe8080-apiv1-backend-info": "/api/v1/backend-info",
}
ROLE_CASES = {
    **{name: (Role.ESPLORA, "/api/v1" + path) for name, path in ESPLORA_CASES.items()},
    **{name: (Role.FRONTEND, path) for name, path in FRONT_END_CASES.items()},
    "be8999-api-noV1": (Role.BACKEND, "/api/blocks/tip/height"),
    "be8999-noprefix": (Role.BACKEND, "/blocks/tip/height"),
    "core-rest-chaininfo": (Role.BITCOIND, "/rest/chaininfo.json"),
}


@pytest.mark.parametrize("name", ROLE_CASES)
def test_each_role_answers_as_the_real_server_did(server, small_chain, name):
    real = recorded(name)
    role, path = ROLE_CASES[name]
    path = path.format(hash=small_chain.hash_at(900))
    with SimulationServer(small_chain, role=role) as played:
        answer = requests.get(played.url + path, timeout=10)
    assert_same_kind(answer, real)
    if "json" in (real.content_type or ""):
        assert keys_of(answer.json()) <= keys_of(json.loads(real.body))
    if real.body.startswith(b"<!DOCTYPE"):
        asked = real.body.partition(b"Cannot GET ")[2].partition(b"<")[0].decode()
        assert f"Cannot GET {path}<" in answer.text
        assert asked.count("/") == path.count("/")


LOADING_CASES = {
    "coredown-tip-hash": "/blocks/tip/hash",
    "coredown-block-height": "/block-height/900",
    "coredown-block-header": f"/block/{KNOWN}/header",
    "coredown-block-raw": f"/block/{KNOWN}/raw",
    "coredown-block-txids": f"/block/{KNOWN}/txids",
    "coredown-block-txs": f"/block/{KNOWN}/txs/0",
    "coredown-tip-height": "/blocks/tip/height",
    "coredown-block-mem": f"/block/{KNOWN}",
    "coredown-backend-info": "/backend-info",
}


@pytest.mark.parametrize("name", LOADING_CASES)
def test_a_back_end_whose_node_is_not_there_yet_answers_as_the_real_one(server, small_chain, name):
    path = LOADING_CASES[name].format(hash=small_chain.hash_at(900))
    with SimulationServer(small_chain, node=NodeState(loading=True)) as played:
        answer = requests.get(f"{played.url}/api/v1{path}", timeout=10)
    assert_same_kind(answer, recorded(name))


STALE_CASES = {
    "reorg4-validfork-block-old117": "/api/v1/block/{stale}",
    "reorg4-validfork-block-old117-header": "/api/v1/block/{stale}/header",
    "reorg4-validfork-block-old117-raw": "/api/v1/block/{stale}/raw",
    "reorg4-validfork-block-old117-txids": "/api/v1/block/{stale}/txids",
    "reorg4-validfork-block-height-117": "/api/v1/block-height/900",
    "reorg4-validfork-block-old117-txs": "/api/v1/block/{stale}/txs",
    "reorg5-settled-chain-tips": "/api/v1/chain-tips",
    "reorg4-core-rest-headers-old117": "/rest/headers/{stale}.json?count=1",
}


@pytest.fixture(scope="module")
def forked(server, small_chain):
    with SimulationServer(small_chain) as running:
        running.fork(900, small_chain.tip_height)
        yield running


@pytest.mark.parametrize("name", STALE_CASES)
def test_a_stale_block_is_answered_for_as_by_the_real_server(forked, small_chain, name):
    real = recorded(name)
    path = STALE_CASES[name].format(stale=small_chain.hash_at(900))
    answer = requests.get(forked.url + path, timeout=10)
    assert_same_kind(answer, real)
    if name == "reorg4-validfork-block-old117":
        block, real_block = answer.json(), json.loads(real.body)
        assert keys_of(block) <= keys_of(real_block)
        assert (block["stale"], type(block["stale"])) == (real_block["stale"], int)
        best = requests.get(f"{forked.url}/api/v1/block-height/900", timeout=10).text
        assert (block["height"], block["canonical"]) == (900, best)
    if name == "reorg4-core-rest-headers-old117":
        assert answer.json() == json.loads(real.body)
    if name == "reorg5-settled-chain-tips":
        [best, stale] = answer.json()
        assert keys_of([best, stale]) == keys_of(json.loads(real.body))
        assert (best["status"], stale["status"]) == ("active", "valid-fork")
        assert (best["branchlen"], stale["branchlen"]) == (0, stale["height"] - 900 + 1)


def test_the_header_of_a_stale_block_has_bitcoind_s_facts(forked, small_chain):
    # The same facts stand in front of a recorded block.
    real = json.loads(recorded("reorg4-core-rest-block-old117").body)
    call = {"method": "getblockheader", "params": [small_chain.hash_at(900)]}
    facts = requests.post(forked.url, json=call, timeout=10).json()["result"]
    assert keys_of(facts) <= keys_of(real)
    assert facts["confirmations"] == real["confirmations"]


def test_wrong_credentials_are_refused_as_bitcoind_did(server, small_chain):
    real = recorded("core-rpc-badauth")
    with SimulationServer(small_chain, user="u", password="p") as guarded:
        answer = requests.post(guarded.url, json={"method": "getblockcount"}, timeout=10)
    assert_same_kind(answer, real)
    assert answer.headers["WWW-Authenticate"] == 'Basic realm="jsonrpc"'


def test_rest_that_is_switched_off_is_answered_as_a_route_that_is_none(server, small_chain):
    with SimulationServer(small_chain, rest=False) as without:
        answer = requests.get(without.url + "/rest/chaininfo.json", timeout=10)
    assert_same_kind(answer, recorded("core-rest-nosuch"))


def test_a_route_that_is_none_gives_express_s_page(server):
    real = recorded("electrum-nosuchroute")
    answer = requests.get(server.url + "/api/v1/no/such/route", timeout=10)
    assert answer.content.strip() == real.body.strip()
