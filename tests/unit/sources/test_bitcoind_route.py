"""Which of bitcoind's two interfaces is asked, and how often when it fails."""

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
from tests.unit.sources.scripted import Reply, as_json, page, silent_server, text
from utxoracle.errors import SourceError, SourceSyncing
from utxoracle.settings import Settings
from utxoracle.simulation.server import SimulationServer
from utxoracle.sources.factory import open_source

PATIENT = Settings(retries=3)


def test_rest_is_used_where_it_is_on_and_needs_no_password(chain):
    with SimulationServer(chain, user="u", password="hunter2") as node:
        source = open_node(node)
        assert source.raw_block(source.tip()[1]) == chain.raw_block(chain.tip_height)
        source.close()


def test_rpc_is_used_where_rest_is_off_and_which_one_is_asked_once(server, rpc):
    server.replies["getblockhash"] = succeeded(HASH)
    for _ in range(2):
        assert rpc.hash_at(5) == HASH
    assert [asked.method for asked in server.asked] == ["GET", "POST", "POST"]


def test_the_hash_of_the_tip_is_one_request_over_rest(server, rest):
    assert rest.route is None
    for asked in (1, 2):
        assert rest.tip_hash() == HASH
        assert rest.route == "rest"
        assert server.paths == ["/rest/chaininfo.json"] * asked


def test_a_route_that_is_set_makes_the_hash_of_the_tip_one_request(server, rest, rpc):
    server.replies["getblockchaininfo"] = succeeded(INFO)
    rest.route = "rest"
    assert rest.tip_hash() == HASH
    assert [asked.method for asked in server.asked] == ["GET"]
    del server.asked[:]
    rpc.route = "rpc"
    assert rpc.tip_hash() == HASH
    assert rpc.tip() == (805, HASH)
    assert [asked.method for asked in server.asked] == ["POST", "POST"]
    assert rpc.route == "rpc"


def test_rest_that_was_switched_on_is_used_for_blocks_though_rpc_was_remembered(server, rest):
    server.replies["getblockchaininfo"] = succeeded(INFO)
    server.replies["/rest/blockhashbyheight/5.hex"] = text(HASH)
    rest.route = "rpc"
    rest.tip_hash()
    assert rest.hash_at(5) == HASH
    assert rest.route == "rest"


@pytest.mark.parametrize("route", ["rest", "REST", "/api", "", None])
def test_a_route_that_is_switched_off_or_none_is_looked_up(server, rpc, route):
    server.replies["getblockchaininfo"] = succeeded(INFO)
    rpc.route = route
    assert rpc.route == ("rest" if route == "rest" else None)
    assert rpc.tip_hash() == HASH
    assert rpc.route == "rpc"
    assert [asked.method for asked in server.asked] == ["GET", "POST"]


@pytest.mark.parametrize("reply", [UNAUTHORISED, page(404), page(), failed(-32601, "no", 404)])
def test_rpc_that_does_not_serve_any_more_is_given_up_for_rest(server, rest, reply):
    server.replies["getblockchaininfo"] = reply
    rest.route = "rpc"
    assert rest.tip_hash() == HASH
    assert rest.route == "rest"


@pytest.mark.parametrize(
    "reply", [UNAUTHORISED, Reply(403), page(404), page(), failed(-32601, "no", 404)]
)
def test_rpc_that_turns_away_is_asked_once_and_rest_too(server, rpc, reply):
    server.replies["getblockchaininfo"] = reply
    rpc.route = "rpc"
    message_of(rpc.tip_hash)
    assert [asked.method for asked in server.asked] == ["POST", "GET"]
    assert rpc.route == "rpc"


def test_rest_that_was_switched_on_needs_no_cookie(server, tmp_path):
    server.replies["/rest/chaininfo.json"] = as_json(INFO)
    source = open_node(server, rest=f"?cookie={tmp_path / 'none'}")
    source.route = "rpc"
    assert source.tip_hash() == HASH
    source.close()
    assert [asked.method for asked in server.asked] == ["GET"]


@pytest.mark.parametrize("route", ["rpc", "rest", None])
@pytest.mark.parametrize(
    ("reply", "wanted"),
    [
        (text("busy", 503), "is too busy (503 busy, tried 4 times): try again"),
        (page(502), "with 502, tried 4 times: try again later"),
        (text("slow down", 429), "with 429 slow down, tried 4 times: try again later"),
        (text("Service temporarily unavailable: Rewinding…", 503), "Rewinding…, tried 4 times)"),
    ],
    ids=["busy", "away", "many", "starting"],
)
def test_a_server_in_trouble_is_asked_over_one_interface(server, pauses, route, reply, wanted):
    server.replies |= {"/rest/chaininfo.json": reply, "getblockchaininfo": reply}
    source = open_node(server, PATIENT)
    source.route = route
    with pytest.raises(SourceError) as error:
        source.tip_hash()
    source.close()
    assert wanted in str(error.value)
    method = "POST" if route == "rpc" else "GET"
    assert [one.method for one in server.asked] == [method] * 4
    assert len(pauses) == 3


@pytest.mark.parametrize(("route", "asked"), [("rpc", ["POST"]), (None, ["GET", "POST"])])
def test_a_redirect_of_a_call_ends_the_search(server, rpc, route, asked):
    moved = Reply(301, headers={"Location": "https://elsewhere/"})
    server.replies |= {"/rest/chaininfo.json": moved, "getblockchaininfo": moved}
    rpc.route = route
    assert "it redirects to as the source (https://elsewhere/)" in message_of(rpc.tip_hash)
    assert [one.method for one in server.asked] == asked


@pytest.mark.parametrize("route", ["rpc", "rest", None])
def test_a_node_that_hangs_is_waited_for_once(route):
    with silent_server() as (place, asked):
        source = open_source(f"bitcoind+http://{place}", Settings(read_timeout=0.2, retries=3))
        source.route = route
        assert "sent nothing for 0.2 s: is its node hanging?" in message_of(source.tip_hash)
        source.close()
    assert len(asked) == 1


def test_a_node_that_starts_is_asked_over_one_interface(server, rpc):
    server.replies["getblockchaininfo"] = failed(-28, "Loading block index…")
    rpc.route = "rpc"
    assert "still starting" in message_of(rpc.tip_hash, kind=SourceSyncing)
    assert [asked.method for asked in server.asked] == ["POST"]


@pytest.mark.parametrize("route", ["rest", "rpc", None])
def test_an_outage_is_told_the_same_whatever_route_is_set(server, tmp_path, closed_port, route):
    # A node that is stopped takes its cookie away.
    place = f"127.0.0.1:{closed_port}"
    source = open_source(f"bitcoind+http://{place}?cookie={tmp_path / 'none'}", QUICK)
    source.route = route
    assert message_of(source.tip_hash).startswith(f"bitcoind {place} refused the connection: is ")
    assert source.route == route
    starting = open_node(server)
    starting.route = route
    server.replies["getblockchaininfo"] = failed(-28, "Verifying blocks…")
    message = message_of(starting.tip_hash, kind=SourceSyncing)
    assert "is still starting (Verifying blocks…): try again" in message
    server.replies["getblockchaininfo"] = UNAUTHORISED
    assert "wants a password (401): set rest=1" in message_of(starting.tip_hash)
    starting.close()


def test_a_page_with_status_200_is_not_taken_for_rest(server, rpc):
    server.replies["/rest/chaininfo.json"] = page()
    server.replies["getblockchaininfo"] = page()
    assert "with 200, which isn't a JSON-RPC reply; is this the right" in message_of(rpc.tip)


def test_rest_that_is_switched_off_later_is_a_source_error(server, rest):
    rest.tip()
    del server.replies["/rest/chaininfo.json"]
    server.replies["/rest/blockhashbyheight/5.hex"] = Reply(404, "text/html; charset=ISO-8859-1")
    assert "/rest/blockhashbyheight/5.hex with 404" in message_of(rest.hash_at, 5)
