import base64

import pytest

from tests.unit.sources.node import (
    HASH,
    INFO,
    QUICK,
    UNAUTHORISED,
    failed,
    message_of,
    open_node,
    succeeded,
)
from tests.unit.sources.scripted import Reply, as_json, page, text
from utxoracle.errors import BlockCorrupt, BlockNotFound, SourceSyncing
from utxoracle.settings import Settings
from utxoracle.simulation.server import SimulationServer
from utxoracle.sources.factory import open_source

PRUNED = "Block not available (pruned data)"


def test_a_refused_connection_asks_whether_it_is_running(closed_port):
    source = open_source(f"bitcoind+http://u:hunter2@127.0.0.1:{closed_port}", QUICK)
    message = message_of(source.tip)
    assert message.startswith(f"bitcoind 127.0.0.1:{closed_port} refused the connection: is it ")


def test_a_node_that_is_still_syncing_has_no_tip(server, rest, rpc):
    wanted = "is still syncing, at block 805 of 900: try again"
    server.replies["/rest/chaininfo.json"] = as_json(INFO | {"initialblockdownload": True})
    for ask in (rest.tip, rest.tip_hash):
        assert wanted in message_of(ask, kind=SourceSyncing)
    del server.replies["/rest/chaininfo.json"]
    server.replies["getblockchaininfo"] = succeeded(INFO | {"initialblockdownload": True})
    rpc.route = "rpc"
    for ask in (rpc.tip, rpc.tip_hash):
        assert wanted in message_of(ask, kind=SourceSyncing)


def test_a_node_that_is_still_loading_says_so_over_rest(server, rest):
    loading = text("Service temporarily unavailable: Loading block index…\r\n", 503)
    server.replies["/rest/chaininfo.json"] = loading
    wanted = "is still starting (503 Service temporarily unavailable: Loading block index…): try"
    assert wanted in message_of(rest.tip, kind=SourceSyncing)
    server.replies["/rest/chaininfo.json"] = as_json(INFO)
    server.replies["/rest/blockhashbyheight/5.hex"] = loading
    assert wanted in message_of(rest.hash_at, 5, kind=SourceSyncing)


def test_a_node_that_is_still_loading_says_so_over_rpc(server, rpc):
    server.replies["getblockchaininfo"] = failed(-28, "Loading block index…")
    wanted = "is still starting (Loading block index…): try again"
    assert wanted in message_of(rpc.tip, kind=SourceSyncing)


def test_a_node_that_is_too_busy_is_not_called_a_starting_one(server, rest, rpc):
    busy = Reply(503, "text/html; charset=ISO-8859-1", b"Work queue depth exceeded")
    server.replies["/rest/chaininfo.json"] = busy
    assert "is too busy (503 Work queue depth exceeded): try again" in message_of(rest.tip)
    del server.replies["/rest/chaininfo.json"]
    server.replies["getblockchaininfo"] = busy
    assert "is too busy (503 Work queue depth exceeded): try again" in message_of(rpc.tip)


@pytest.mark.parametrize("info", [[], {"blocks": -1}, {"blocks": 5}, INFO | {"bestblockhash": "x"}])
def test_a_tip_that_is_none_is_refused(server, rest, info):
    server.replies["/rest/chaininfo.json"] = as_json(info)
    message_of(rest.tip)


def test_a_pruned_block_is_not_found_and_the_lowest_that_is_kept_is_named(server, rest, rpc):
    info = INFO | {"pruned": True, "pruneheight": 300}
    server.replies["/rest/chaininfo.json"] = as_json(info)
    server.replies[f"/rest/block/{HASH}.bin"] = text(f"{HASH} not available (pruned data)", 404)
    wanted = f"has pruned block {HASH} and keeps only those from block 300 on"
    assert wanted in message_of(rest.raw_block, HASH, kind=BlockNotFound)
    del server.replies["/rest/chaininfo.json"]
    server.replies["getblock"] = failed(-1, PRUNED)
    server.replies["getblockchaininfo"] = succeeded(info)
    assert wanted in message_of(rpc.raw_block, HASH, kind=BlockNotFound)


@pytest.mark.parametrize("info", [failed(-32601, "no"), succeeded(INFO), succeeded([]), page(502)])
def test_a_pruned_block_is_not_found_also_when_the_lowest_stays_unknown(server, rpc, info):
    server.replies["getblock"] = failed(-1, PRUNED)
    server.replies["getblockchaininfo"] = info
    wanted = f"has pruned block {HASH}: only a node that keeps it can serve it"
    assert wanted in message_of(rpc.raw_block, HASH, kind=BlockNotFound)


def test_a_block_that_is_not_downloaded_yet_is_not_found(server, rest, rpc):
    # As below the snapshot of a chain state that a node began with.
    why = "not available (not fully downloaded)"
    server.replies[f"/rest/block/{HASH}.bin"] = text(f"{HASH} {why}\r\n", 404)
    assert f"has no block {HASH} (" in message_of(rest.raw_block, HASH, kind=BlockNotFound)
    del server.replies["/rest/chaininfo.json"]
    server.replies["getblock"] = failed(-1, f"Block {why}")
    wanted = f"has no block {HASH} (Block {why})"
    assert wanted in message_of(rpc.raw_block, HASH, kind=BlockNotFound)


def test_what_rest_does_not_have_is_not_found(server, rest):
    server.replies["/rest/blockhashbyheight/806.hex"] = text("Block height out of range\r\n", 404)
    assert "has no block 806 (Block height" in message_of(rest.hash_at, 806, kind=BlockNotFound)
    server.replies[f"/rest/block/{HASH}.bin"] = text(f"{HASH} not found\r\n", 404)
    assert f"has no block {HASH}" in message_of(rest.raw_block, HASH, kind=BlockNotFound)
    server.replies[f"/rest/headers/{HASH}.bin?count=1"] = Reply(200, "application/octet-stream")
    assert "on its best chain" in message_of(rest.header, HASH, kind=BlockNotFound)


@pytest.mark.parametrize("status", [200, 500])
def test_what_rpc_does_not_have_is_not_found_in_both_versions_of_json_rpc(server, rpc, status):
    server.replies["getblockhash"] = failed(-8, "Block height out of range", status)
    assert "has no block 806 (Block height" in message_of(rpc.hash_at, 806, kind=BlockNotFound)
    server.replies["getblock"] = failed(-5, "Block not found", status)
    assert f"has no block {HASH}" in message_of(rpc.raw_block, HASH, kind=BlockNotFound)


def test_any_other_rpc_failure_names_the_call_the_message_and_the_code(server, rpc):
    server.replies["getblockhash"] = failed(-32601, "Method not found", 404)
    assert "failed at getblockhash: Method not found (-32601)" in message_of(rpc.hash_at, 5)
    server.replies["getblockhash"] = as_json({"error": "odd"}, 500)
    assert "failed at getblockhash: odd (None)" in message_of(rpc.hash_at, 5)


@pytest.mark.parametrize(
    "reply", [as_json([]), as_json({}), as_json({"result": HASH}, 500), text("x"), page(502)]
)
def test_an_answer_that_is_no_rpc_reply_is_refused(server, rpc, reply):
    server.replies["getblockhash"] = reply
    message_of(rpc.hash_at, 5)


def test_a_failed_call_is_an_answer_and_not_made_again(server):
    server.replies["getblockhash"] = failed(-8, "Block height out of range")
    source = open_node(server, Settings(retries=3))
    message_of(source.hash_at, 806, kind=BlockNotFound)
    source.close()
    assert [asked.method for asked in server.asked] == ["GET", "POST"]


def test_another_header_than_the_one_asked_for_is_corrupt(server, chain, rest):
    block_hash = chain.hash_at(804)
    path = f"/rest/headers/{block_hash}.bin?count=1"
    for body in (chain.header(805), chain.header(804) + chain.header(805)):
        server.replies[path] = Reply(body=body)
        with pytest.raises(BlockCorrupt, match=block_hash):
            rest.header(block_hash)
    # A look-up of the interface, and two attempts at each.
    assert server.paths == ["/rest/chaininfo.json", *[path] * 4]


def test_a_header_that_was_garbled_once_is_asked_for_again(server, chain, rest, rpc):
    header = chain.header(804)
    garbled = bytes([header[0] ^ 1]) + header[1:]
    path = f"/rest/headers/{chain.hash_at(804)}.bin?count=1"
    server.replies[path] = [Reply(body=garbled), Reply(body=header)]
    assert rest.header(chain.hash_at(804)) == header
    del server.replies["/rest/chaininfo.json"]
    server.replies["getblockheader"] = [succeeded(garbled.hex()), succeeded(header.hex())]
    assert rpc.header(chain.hash_at(804)) == header


def test_a_block_in_hex_has_a_limited_size(server, rpc):
    server.replies["getblock"] = succeeded("00" * 4_000_000)
    assert rpc.raw_block(HASH) == bytes(4_000_000)
    server.replies["getblock"] = succeeded("00" * 4_300_000)
    assert "more than the 8,500,000 bytes that POST" in message_of(rpc.raw_block, HASH)


def test_a_cookie_is_read_from_its_file_for_every_call(chain, tmp_path):
    cookie = tmp_path / "a cookie"
    with SimulationServer(chain, user="__cookie__", password="hunter2", rest=False) as node:
        source = open_node(node, rest=f"?cookie={str(cookie).replace(' ', '%20')}")
        assert "a cookie" in message_of(source.tip)
        cookie.write_text("__cookie__:hunter1\n")
        assert f"compare {cookie} with" in message_of(source.tip)
        cookie.write_text("__cookie__:hunter2\n")
        assert source.tip()[0] == chain.tip_height
        source.close()


def test_a_call_is_made_again_when_the_cookie_changed_while_it_was_made(server, tmp_path):
    cookie = tmp_path / "cookie"
    cookie.write_text("__cookie__:before")

    def restarted(_: object) -> Reply:
        cookie.write_text("__cookie__:after")
        return UNAUTHORISED

    server.replies["getblockhash"] = [restarted, succeeded(HASH)]
    source = open_node(server, rest=f"?cookie={cookie}")
    assert source.hash_at(5) == HASH
    source.close()
    logins = [asked.headers["Authorization"] for asked in server.asked if asked.payload]
    assert [base64.b64decode(login.split()[1]) for login in logins] == [
        b"__cookie__:before",
        b"__cookie__:after",
    ]


def test_a_call_with_a_wrong_cookie_is_made_once(server, tmp_path):
    cookie = tmp_path / "cookie"
    cookie.write_text("__cookie__:hunter2")
    server.replies["getblockhash"] = UNAUTHORISED
    source = open_node(server, rest=f"?cookie={cookie}")
    assert f"compare {cookie} with" in message_of(source.hash_at, 5)
    source.close()
    assert [asked.method for asked in server.asked] == ["GET", "POST"]


def test_a_cookie_that_can_not_be_read_is_named(server, tmp_path):
    for path, why in ((tmp_path / "none", "No such file"), (tmp_path, "Is a directory")):
        source = open_node(server, rest=f"?cookie={path}")
        message = message_of(source.tip)
        assert f"the cookie {path} of bitcoind {server.place} can't be read: {why}" in message
    (tmp_path / "junk").write_bytes(b"\xff\xfe")
    source = open_node(server, rest=f"?cookie={tmp_path / 'junk'}")
    assert "it isn't text" in message_of(source.tip)


def test_user_and_password_come_from_the_settings_or_the_url(server, tmp_path):
    server.replies["getblockchaininfo"] = succeeded(INFO)
    password = tmp_path / "password"
    password.write_text("hunter2\n")
    settings = Settings(retries=0, rpc_user="me", rpc_password_file=password)
    for url in (server.url, f"http://you:p%40ss@{server.place}"):
        source = open_source(f"bitcoind+{url}", settings)
        assert source.tip()[0] == 805
        source.close()
    sent = [asked.headers.get("Authorization") for asked in server.asked]
    tokens = [base64.b64encode(pair).decode() for pair in (b"me:hunter2", b"you:p@ss")]
    assert sent == [None, f"Basic {tokens[0]}", None, f"Basic {tokens[1]}"]


def test_user_and_password_may_have_any_letters(chain, tmp_path):
    password = tmp_path / "password"
    password.write_bytes("pässword €\n".encode())
    settings = Settings(retries=0, rpc_user="€", rpc_password_file=password)
    with SimulationServer(chain, user="€", password="pässword €", rest=False) as node:
        place = node.url.removeprefix("http://")
        for source in (
            open_node(node, settings),
            open_source(f"bitcoind+http://€:pässword%20€@{place}", QUICK),
            open_source(f"bitcoind+http://%E2%82%AC:pässword%20€@{place}", QUICK),
        ):
            assert source.tip()[0] == chain.tip_height
            source.close()


def test_a_refused_password_says_what_to_set(server, tmp_path):
    server.replies["getblockchaininfo"] = UNAUTHORISED
    message = message_of(open_node(server).tip)
    assert "wants a password (401): set rest=1 in bitcoin.conf, or add ?cookie=FILE" in message
    source = open_source(f"bitcoind+http://u:hunter2@{server.place}", QUICK)
    assert "refuses the user or password (401): compare them" in message_of(source.tip)
    server.replies["getblockchaininfo"] = Reply(403, "text/html")
    assert "forbids this machine to ask (403): see rpcallowip" in message_of(source.tip)
