"""A simulated bitcoind that isn't ready, or hasn't everything, and what it tells besides blocks."""

from utxoracle.simulation.server import SimulationServer
from utxoracle.simulation.view import NodeState

HEIGHT = 900


def call(http, server, method, *params):
    answer = http.post(server.url, json={"id": 1, "method": method, "params": params})
    return answer.status_code, answer.json() if answer.content else None


def test_a_loading_bitcoind_says_so(small_chain, http):
    node = NodeState(loading=True)
    with SimulationServer(small_chain, node=node, user="u", password="p") as server:
        answer = http.get(f"{server.url}/rest/chaininfo.json")
        assert answer.status_code == 503
        assert answer.content.startswith(b"Service temporarily unavailable: Loading block index")
        # Who may call is checked before.
        assert call(http, server, "getblockcount")[0] == 401
        http.auth = ("u", "p")
        status, reply = call(http, server, "getblockcount")
        assert (status, reply["error"]["code"]) == (500, -28)


def test_a_syncing_bitcoind_says_so(small_chain, http):
    with SimulationServer(small_chain, node=NodeState(syncing=True)) as server:
        _, reply = call(http, server, "getblockchaininfo")
        assert reply["result"] == http.get(f"{server.url}/rest/chaininfo.json").json()
    assert reply["result"]["initialblockdownload"] is True
    assert reply["result"]["verificationprogress"] < 1


def test_a_pruned_node_has_headers_but_no_old_blocks(small_chain, http):
    old, kept = small_chain.hash_at(HEIGHT - 1), small_chain.hash_at(HEIGHT)
    with SimulationServer(small_chain, node=NodeState(pruned=HEIGHT)) as server:
        info = http.get(f"{server.url}/rest/chaininfo.json").json()
        assert (info["pruned"], info["pruneheight"]) == (True, HEIGHT)
        answer = http.get(f"{server.url}/rest/block/{old}.bin")
        assert (answer.status_code, answer.text) == (
            404,
            f"{old} not available (pruned data)\r\n",
        )
        status, reply = call(http, server, "getblock", old, 0)
        assert (status, reply["error"]) == (
            500,
            {"code": -1, "message": "Block not available (pruned data)"},
        )
        assert http.get(f"{server.url}/api/v1/block/{old}/raw").status_code == 500
        assert http.get(f"{server.url}/api/v1/block/{old}/header").status_code == 200
        assert http.get(f"{server.url}/rest/headers/{old}.bin?count=1").status_code == 200
        assert http.get(f"{server.url}/rest/block/{kept}.bin").status_code == 200


def test_bitcoind_tells_its_branches_and_since_when_it_runs(small_chain, http):
    with SimulationServer(small_chain, tip=HEIGHT + 10) as server:
        server.fork(HEIGHT, HEIGHT + 12)
        tips = call(http, server, "getchaintips")[1]["result"]
        assert [one["status"] for one in tips] == ["active", "valid-fork"]
        assert [one["height"] for one in tips] == [HEIGHT + 12, HEIGHT + 10]
        assert [one["branchlen"] for one in tips] == [0, 11]
        assert tips[1]["hash"] == small_chain.hash_at(HEIGHT + 10)
        assert 0 <= call(http, server, "uptime")[1]["result"] < 60
