"""Blocks from what a real bitcoind answered, one answer at a time."""

import re

import pytest

from tests.unit.sources.recordings import assert_fails, needs_recordings, recording
from utxoracle.bitcoin.header import parse_header
from utxoracle.errors import BlockNotFound, SourceError
from utxoracle.settings import Settings
from utxoracle.sources.factory import open_source

pytestmark = needs_recordings

TIP = (117, "48b96a62adb120c3b924a6ff99b91f5da77828d9e09c3d365314e21f9a5c334a")
HASH_114 = "363a6ff04178718c6000e3182a551b4fc5b318fa4ce0a5b5a59de072f484e543"
UNKNOWN = "0" * 61 + "abc"

REST = {
    "core-rest-blockhashbyheight-hex": HASH_114,
    "core-rest-blockhashbyheight-beyond": (
        BlockNotFound,
        "has no block 999999 (Block height out of range)",
    ),
    "core-rest-block-bin": 1_424_093,
    "core-rest-block-bin-2": 1_424_093,
    "core-big2-rest-bin": 1_609_726,
    "core-rest-block-unknown": (BlockNotFound, f"has no block {UNKNOWN} ({UNKNOWN} not found)"),
    "core-rest-block-badhash": (SourceError, "with 400 Invalid hash: xyz: is this the right"),
}
RPC = {
    "core-rpc-getblockchaininfo": TIP,
    "core-rpc-badauth": (SourceError, "wants a password (401): set rest=1 in bitcoin.conf"),
    "core-rpc-getblockhash": HASH_114,
    "core-rpc-getblockhash-beyond": (
        BlockNotFound,
        "has no block 999999 (Block height out of range)",
    ),
    "core-rpc-getblock-unknown": (BlockNotFound, f"has no block {UNKNOWN} (Block not found)"),
    "core-rpc-v2-unknown": (BlockNotFound, f"has no block {UNKNOWN} (Block not found)"),
}
CASES = {"core-rest-chaininfo": TIP, "core-rest-nosuch": TIP, **REST, **RPC}


@pytest.fixture
def source(server):
    one = open_source(f"bitcoind+{server.url}", Settings(retries=0))
    yield one
    one.close()


def assert_gives(ask, wanted) -> None:
    if not isinstance(wanted, tuple) or wanted == TIP:
        assert ask() == wanted
        return
    assert_fails(ask, *wanted)


def size_of_block(source, block_hash: str) -> int:
    raw = source.raw_block(block_hash)
    assert parse_header(raw[:80]).hash == block_hash
    return len(raw)


def test_the_tip_over_rest(server, source):
    server.replies["/rest/chaininfo.json"] = recording("core-rest-chaininfo").reply
    assert source.tip() == TIP
    assert source.route == "rest"
    assert server.paths == ["/rest/chaininfo.json"]


def test_the_tip_where_rest_is_off(server, source):
    server.replies["/rest/chaininfo.json"] = recording("core-rest-nosuch").reply
    server.replies["getblockchaininfo"] = recording("core-rpc-getblockchaininfo").reply
    assert source.tip() == TIP
    assert source.route == "rpc"


@pytest.mark.parametrize("name", REST)
def test_an_answer_of_rest(server, source, name):
    real = recording(name)
    # A height out of range was recorded as JSON is asked for; the error is the same bare text.
    path = real.path.replace(".json", ".hex")
    server.replies["/rest/chaininfo.json"] = recording("core-rest-chaininfo").reply
    server.replies[path] = real.reply
    what = re.fullmatch(r"/rest/(?:block|blockhashbyheight)/(\w+)\.\w+", path)[1]
    if "blockhashbyheight" in path:
        assert_gives(lambda: source.hash_at(int(what)), REST[name])
    else:
        assert_gives(lambda: size_of_block(source, what), REST[name])
    assert server.paths[-1] == path


@pytest.mark.parametrize("name", RPC)
def test_an_answer_of_json_rpc(server, source, name):
    real = recording(name)
    server.replies["/rest/chaininfo.json"] = recording("core-rest-nosuch").reply
    method, params = real.payload["method"], real.payload["params"]
    if name == "core-rpc-badauth":
        method = "getblockchaininfo"
    server.replies[method] = real.reply
    ask = {
        "getblockchaininfo": source.tip,
        "getblockhash": lambda: source.hash_at(params[0]),
        "getblock": lambda: size_of_block(source, params[0]),
    }[method]
    assert_gives(ask, RPC[name])
