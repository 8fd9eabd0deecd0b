import json
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection

import pytest
import requests

from utxoracle.bitcoin.encoding import hash_to_hex
from utxoracle.bitcoin.header import parse_header
from utxoracle.bitcoin.network import REGTEST
from utxoracle.bitcoin.scan import hash_transactions
from utxoracle.bitcoin.walk import walk
from utxoracle.errors import StorageError, UsageError
from utxoracle.simulation.server import SimulationServer


def call(http, url, method, *params, **options):
    answer = http.post(url, json={"id": 7, "method": method, "params": params}, **options)
    return answer.status_code, answer.json() if answer.content else None


def test_the_chain_can_be_read_as_from_a_mempool_back_end(server, small_chain, http):
    base = server.url + "/api/v1"
    tip = small_chain.tip_height
    tip_hash = http.get(f"{base}/blocks/tip/hash").text
    assert http.get(f"{base}/blocks/tip/height").text == str(tip)
    assert tip_hash == small_chain.hash_at(tip) == http.get(f"{base}/block-height/{tip}").text
    assert http.get(f"{base}/block/{tip_hash}/raw").content == small_chain.raw_block(tip)
    assert http.get(f"{base}/block/{tip_hash}/header").text == small_chain.header(tip).hex()
    block = http.get(f"{base}/block/{tip_hash}").json()
    raw = small_chain.raw_block(tip)
    txids = http.get(f"{base}/block/{tip_hash}/txids").json()
    assert txids == [hash_to_hex(txid) for txid in hash_transactions(raw, walk(raw))]
    assert (block["height"], block["timestamp"]) == (tip, small_chain.time_at(tip))
    assert (block["tx_count"], block["size"]) == (len(txids), len(raw))
    assert block["previousblockhash"] == small_chain.hash_at(tip - 1)


def test_the_weight_of_a_block_counts_what_is_not_witness_four_times(server, small_chain, http):
    raw = small_chain.raw_block(small_chain.tip_height)
    layout = walk(raw)
    witness = sum(
        end - 4 - at + 2
        for at, end, segwit in zip(layout.witnesses, layout.ends, layout.segwit, strict=True)
        if segwit
    )
    url = f"{server.url}/api/block/{small_chain.hash_at(small_chain.tip_height)}"
    assert http.get(url).json()["weight"] == 4 * (len(raw) - witness) + witness


def test_the_front_end_s_prefix_is_the_back_end_s(server, http):
    for route in ("/blocks/tip/hash", "/prices", "/backend-info", "/no/such/route"):
        one, other = (http.get(server.url + prefix + route) for prefix in ("/api", "/api/v1"))
        assert one.content == other.content
        assert one.status_code == other.status_code


def test_an_error_is_bare_text_for_a_client_that_takes_no_json(server, http):
    url = f"{server.url}/api/v1/block/xyz/raw"
    answer = http.get(url, headers={"Accept": "text/plain"})
    assert (answer.status_code, answer.text) == (400, "Invalid block hash")


def test_an_unknown_path_can_not_smuggle_html_into_the_page(server, http):
    answer = http.get(f"{server.url}/api/v1/<script>")
    assert "<script>" not in answer.text
    assert "&lt;script&gt;" in answer.text


def test_the_chain_can_be_read_over_rest(server, small_chain, http):
    base = server.url + "/rest"
    tip = small_chain.tip_height
    tip_hash = small_chain.hash_at(tip)
    assert http.get(f"{base}/chaininfo.json").json()["bestblockhash"] == tip_hash
    assert http.get(f"{base}/blockhashbyheight/{tip}.hex").text == tip_hash + "\n"
    assert http.get(f"{base}/blockhashbyheight/{tip}.bin").content.hex() == hash_to_hex(
        bytes.fromhex(tip_hash)
    )
    assert http.get(f"{base}/block/{tip_hash}.bin").content == small_chain.raw_block(tip)
    assert http.get(f"{base}/block/{tip_hash}.hex").text == small_chain.raw_block(tip).hex() + "\n"


def test_headers_are_served_up_to_the_tip(server, small_chain, http):
    base = server.url + "/rest/headers"
    tip = small_chain.tip_height
    headers = b"".join(small_chain.header(height) for height in range(tip - 2, tip + 1))
    start = small_chain.hash_at(tip - 2)
    assert http.get(f"{base}/{start}.bin?count=9").content == headers
    assert http.get(f"{base}/2/{start}.bin").content == headers[:160]
    assert http.get(f"{base}/{start}.hex").text == headers.hex() + "\n"
    facts = http.get(f"{base}/{start}.json?count=3").json()
    assert [one["height"] for one in facts] == [tip - 2, tip - 1, tip]
    assert facts[0]["nextblockhash"] == facts[1]["hash"]
    assert "nextblockhash" not in facts[2]
    assert facts[2]["confirmations"] == 1
    assert http.get(f"{base}/{start}.json?count=0").status_code == 400


def test_behind_block_0_there_is_a_gap(server, small_chain, http):
    facts = http.get(f"{server.url}/rest/headers/{REGTEST.genesis_hash}.json").json()
    assert [one["height"] for one in facts] == [0]
    assert http.get(f"{server.url}/api/block-height/0").text == REGTEST.genesis_hash
    assert http.get(f"{server.url}/api/block/{REGTEST.genesis_hash}").json()["weight"] == 1140
    assert http.get(f"{server.url}/rest/blockhashbyheight/1.json").status_code == 404


def test_the_chain_can_be_read_over_json_rpc(server, small_chain, http):
    tip = small_chain.tip_height
    tip_hash = small_chain.hash_at(tip)
    for method, params, result in (
        ("getblockcount", (), tip),
        ("getbestblockhash", (), tip_hash),
        ("getblockhash", (tip,), tip_hash),
        ("getblock", (tip_hash, 0), small_chain.raw_block(tip).hex()),
        ("getblockheader", (tip_hash, False), small_chain.header(tip).hex()),
    ):
        status, reply = call(http, server.url, method, *params)
        assert (status, reply) == (200, {"result": result, "error": None, "id": 7})
    _, reply = call(http, server.url, "getblockheader", tip_hash)
    assert reply["result"]["time"] == small_chain.time_at(tip)


def test_several_calls_may_come_at_once_and_with_named_parameters(server, small_chain, http):
    calls = [
        {"id": 1, "method": "getblockcount"},
        {"jsonrpc": "2.0", "id": 2, "method": "getblockhash", "params": {"height": 0}},
    ]
    assert http.post(server.url, json=calls).json() == [
        {"result": small_chain.tip_height, "error": None, "id": 1},
        {"jsonrpc": "2.0", "result": REGTEST.genesis_hash, "id": 2},
    ]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ("not json", 500, -32700),
        ('"text"', 400, -32600),
        ('{"method": "getblockcoun"}', 404, -32601),
        ('{"method": "getblockhash", "params": ["x"]}', 500, -1),
        ('{"method": "getblock", "params": ["xyz", 0]}', 500, -8),
    ],
)
def test_a_call_that_is_none_gets_bitcoind_s_error(server, http, body, status, code):
    answer = http.post(server.url, data=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


def test_a_moved_tip_hides_the_blocks_above_it_from_every_route(small_chain, http):
    with SimulationServer(small_chain) as server:
        hidden = small_chain.hash_at(small_chain.tip_height)
        tip = small_chain.tip_height - 1
        server.tip = tip
        shown = small_chain.hash_at(tip)
        assert http.get(f"{server.url}/api/blocks/tip/height").text == str(tip)
        assert http.get(f"{server.url}/api/blocks/tip/hash").text == shown
        for route in ("", "/raw", "/header", "/txids"):
            assert http.get(f"{server.url}/api/block/{hidden}{route}").status_code == 500
        assert http.get(f"{server.url}/api/block-height/{tip + 1}").status_code == 500
        assert http.get(f"{server.url}/rest/block/{hidden}.bin").status_code == 404
        assert http.get(f"{server.url}/rest/headers/{hidden}.json").json() == []
        assert len(http.get(f"{server.url}/rest/headers/{shown}.bin").content) == 80
        assert http.get(f"{server.url}/rest/blockhashbyheight/{tip + 1}.hex").status_code == 404
        assert http.get(f"{server.url}/rest/chaininfo.json").json()["blocks"] == tip
        assert call(http, server.url, "getblockcount")[1]["result"] == tip
        assert call(http, server.url, "getblock", hidden, 0)[1]["error"]["code"] == -5
        server.tip = tip + 1
        assert http.get(f"{server.url}/rest/block/{hidden}.bin").status_code == 200


def test_the_tip_can_be_moved_over_http(small_chain, http):
    with SimulationServer(small_chain, tip=900) as server:
        url = server.url + "/simulation/tip"
        facts = {"height": 900, "hash": small_chain.hash_at(900), "time": small_chain.time_at(900)}
        assert http.get(url).json() == facts
        assert http.post(url, json={"by": 2}).json()["height"] == 902
        assert http.post(url, json={"by": -1}).json()["height"] == 901
        assert http.post(url, json={"height": 850}).json()["height"] == server.tip == 850
        for wrong in ({"height": 1}, {"by": 10_000}, {"by": "1"}, {}, [], {"by": 1, "height": 2}):
            answer = http.post(url, json=wrong)
            assert answer.status_code == 400
            assert answer.json()["error"]
        assert http.post(url, data="{").status_code == 400
        assert server.tip == 850


def test_steps_from_many_clients_at_once_are_all_taken(small_chain):
    with SimulationServer(small_chain, tip=850) as server, ThreadPoolExecutor(8) as pool:
        url = server.url + "/simulation/tip"
        list(pool.map(lambda _: requests.post(url, json={"by": 1}, timeout=10), range(40)))
        assert server.tip == 890


def test_a_tip_outside_the_chain_is_refused(small_chain):
    with pytest.raises(UsageError, match="the tip can be moved to 800 up to"):
        SimulationServer(small_chain, tip=5)


def test_exchange_prices_are_the_last_hour_s_in_whole_dollars(server, small_chain, http):
    height = small_chain.first_height + 60
    time = small_chain.time_at(height)
    rows = http.get(
        f"{server.url}/api/v1/historical-price", params={"timestamp": time, "currency": "USD"}
    ).json()["prices"]
    hour = time // 3600 * 3600
    newest = max(
        one
        for one in range(small_chain.first_height, height + 1)
        if small_chain.time_at(one) <= hour
    )
    assert rows == [{"time": hour, "USD": round(small_chain.price_at(newest))}]
    latest = http.get(f"{server.url}/api/v1/prices").json()
    assert latest["time"] == small_chain.time_at(small_chain.tip_height) // 3600 * 3600


def test_exchange_prices_end_with_the_tip_and_are_unknown_long_before_the_chain(small_chain, http):
    with SimulationServer(small_chain, tip=860) as server:
        url = server.url + "/api/v1/historical-price"
        future = http.get(url, params={"timestamp": 4_000_000_000, "currency": "USD"}).json()
        assert future["prices"][0]["time"] == small_chain.time_at(860) // 3600 * 3600
        ancient = http.get(url, params={"timestamp": 1_231_006_505, "currency": "USD"}).json()
        assert ancient["prices"] == [{"time": 1_279_497_600, "USD": 0}]
        every = http.get(url, params={"currency": "EUR"}).json()["prices"]
        assert [set(row) for row in every[:1]] == [{"time", "EUR", "USD"}]
        times = [row["time"] for row in every]
        assert times == sorted(times, reverse=True)
        assert len(times) == len(set(times)) > 5


def test_user_and_password_are_asked_for_when_given(small_chain, http):
    with SimulationServer(small_chain, user="u", password="p:ß") as server:
        assert call(http, server.url, "getblockcount")[0] == 401
        assert call(http, server.url, "getblockcount", auth=("u", "x"))[0] == 401
        assert call(http, server.url, "getblockcount", auth=("u", "p:ß".encode()))[0] == 200
        assert http.get(f"{server.url}/rest/chaininfo.json").status_code == 200


def test_a_cookie_is_written_asked_for_and_removed(small_chain, http, tmp_path):
    cookie = tmp_path / ".cookie"
    with SimulationServer(small_chain, cookie_file=cookie) as server:
        assert cookie.stat().st_mode & 0o777 == 0o600
        user, _, password = cookie.read_text().partition(":")
        assert user == "__cookie__"
        assert call(http, server.url, "getblockcount", auth=(user, password))[0] == 200
        assert call(http, server.url, "getblockcount", auth=(user, "old"))[0] == 401
    assert not cookie.exists()


def test_any_credentials_are_taken_when_none_were_given(server, http):
    assert call(http, server.url, "getblockcount", auth=("any", "body"))[0] == 200


def test_connections_are_kept_alive_and_dropped_at_the_end(small_chain):
    with SimulationServer(small_chain) as server:
        connection = HTTPConnection(server.url.removeprefix("http://"), timeout=10)
        for _ in range(2):
            connection.request("GET", "/api/v1/blocks/tip/height")
            assert connection.getresponse().read() == str(server.tip).encode()
            assert connection.sock is not None
        kept = connection.sock
    assert kept.recv(1) == b""
    connection.close()


def test_head_gives_the_headers_only(server, small_chain, http):
    url = f"{server.url}/api/v1/block/{small_chain.hash_at(900)}/raw"
    answer = http.head(url)
    assert answer.content == b""
    assert int(answer.headers["Content-Length"]) == len(small_chain.raw_block(900))


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("target", ["http://[", "http://]/x"])
def test_a_target_that_is_no_url_is_refused(server, method, target, capfd):
    connection = HTTPConnection(server.url.removeprefix("http://"), timeout=10)
    connection.request(method, target, headers={"Host": "x"})
    answer = connection.getresponse()
    assert (answer.status, json.loads(answer.read())) == (400, {"error": "no usable path"})
    connection.request("GET", "/api/v1/blocks/tip/height")
    assert connection.getresponse().read() == str(server.tip).encode()
    connection.close()
    assert capfd.readouterr().err == ""


def test_a_post_without_a_length_is_refused(server, http):
    assert http.post(server.url, data=iter([b"{}"])).status_code == 400


def test_a_port_that_is_taken_is_a_usage_error(server, small_chain):
    port = int(server.url.rpartition(":")[2])
    with pytest.raises(UsageError, match=f"127.0.0.1:{port} can't be listened on"):
        SimulationServer(small_chain, port=port)


@pytest.mark.parametrize(
    ("host", "port"),
    [("ä..b", 0), ("a\0b", 0), (" ", 0), ("127.0.0.1", 70000)],
)
def test_an_address_that_is_none_is_one_line(small_chain, host, port):
    with pytest.raises(UsageError, match="choose another address or port") as caught:
        SimulationServer(small_chain, host, port)
    assert f"{host}:{port} can't be listened on: " in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_empty_host_does_not_open_every_interface(small_chain):
    with pytest.raises(UsageError, match="the host to listen on is empty"):
        SimulationServer(small_chain, host="")


@pytest.mark.parametrize("content", ["", "dear diary", "__cookie__", "user:password"])
def test_a_file_that_is_no_cookie_is_left_alone(small_chain, tmp_path, content):
    path = tmp_path / "diary"
    path.write_text(content)
    with pytest.raises(StorageError, match="choose another name for the cookie file"):
        SimulationServer(small_chain, cookie_file=path)
    assert path.read_text() == content


def test_the_cookie_is_checked_before_the_port_is_taken(server, small_chain, tmp_path):
    port = int(server.url.rpartition(":")[2])
    (tmp_path / "diary").write_text("dear")
    with pytest.raises(StorageError):
        SimulationServer(small_chain, port=port, cookie_file=tmp_path / "diary")


def test_an_older_cookie_stays_when_the_port_is_taken_and_is_replaced_else(
    server, small_chain, tmp_path
):
    port = int(server.url.rpartition(":")[2])
    path = tmp_path / ".cookie"
    path.write_text("__cookie__:old")
    with pytest.raises(UsageError):
        SimulationServer(small_chain, port=port, cookie_file=path)
    assert path.read_text() == "__cookie__:old"
    with SimulationServer(small_chain, cookie_file=path):
        assert path.stat().st_mode & 0o777 == 0o600
        assert path.read_text() != "__cookie__:old"
    assert not path.exists()


def test_a_cookie_that_another_server_wrote_meanwhile_stays(small_chain, tmp_path):
    path = tmp_path / ".cookie"
    with SimulationServer(small_chain, cookie_file=path):
        path.write_text("__cookie__:another")
    assert path.read_text() == "__cookie__:another"


def test_a_cookie_behind_a_link_is_written_where_it_leads(small_chain, tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "place")
    with SimulationServer(small_chain, cookie_file=tmp_path / "link"):
        assert (tmp_path / "place").read_text().startswith("__cookie__:")
    assert (tmp_path / "link").is_symlink()


@pytest.mark.parametrize("place", ["missing/.cookie", ".", "file/.cookie", "/proc/.cookie"])
def test_a_cookie_that_can_not_be_written_is_a_storage_error(small_chain, tmp_path, place):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError) as caught:
        SimulationServer(small_chain, cookie_file=tmp_path / place)
    assert "\n" not in str(caught.value)
    assert "; c" in str(caught.value)


def test_without_rest_json_rpc_and_the_mempool_routes_are_left(small_chain, http):
    with SimulationServer(small_chain, rest=False) as server:
        for path in ("chaininfo.json", "blockhashbyheight/800.hex", "nosuch"):
            answer = http.get(f"{server.url}/rest/{path}")
            assert (answer.status_code, answer.content) == (404, b"")
            assert answer.headers["Content-Type"] == "text/html; charset=ISO-8859-1"
        assert call(http, server.url, "getblockcount")[1]["result"] == small_chain.tip_height
        assert http.get(f"{server.url}/api/blocks/tip/height").status_code == 200


def test_the_verbose_header_names_the_block_before(server, small_chain, http):
    height = small_chain.first_height
    _, reply = call(http, server.url, "getblockheader", small_chain.hash_at(height))
    header = parse_header(small_chain.header(height))
    assert reply["result"]["previousblockhash"] == header.prev_hash
    assert json.dumps(reply["result"]["chainwork"]) == json.dumps(f"{2 * (height + 1):064x}")
