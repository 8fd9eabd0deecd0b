"""What each of the servers that can be played answers, and what it doesn't."""

import pytest

from utxoracle.simulation.role import Role
from utxoracle.simulation.server import SimulationServer

HEIGHT = 900

MEMPOOL, FRONT_END, ROOT = "/api/v1/blocks/tip/hash", "/api/blocks/tip/hash", "/blocks/tip/hash"
REST = "/rest/chaininfo.json"


@pytest.mark.parametrize(
    ("role", "there"),
    [
        (Role.ALL, {MEMPOOL, FRONT_END, REST, "/"}),
        (Role.BACKEND, {MEMPOOL}),
        (Role.FRONTEND, {MEMPOOL, FRONT_END}),
        (Role.ESPLORA, set()),
        (Role.ELECTRS, {ROOT}),
        (Role.BITCOIND, {REST, "/"}),
    ],
)
def test_each_role_has_its_own_routes_only(small_chain, http, role, there):
    tip_hash = small_chain.hash_at(small_chain.tip_height)
    with SimulationServer(small_chain, role=role) as server:
        found = {
            path
            for path in (MEMPOOL, FRONT_END, ROOT, REST)
            if tip_hash in http.get(server.url + path).text
        }
        answer = http.post(server.url, json={"method": "getbestblockhash"})
        found |= {"/"} if tip_hash in answer.text else set()
        assert http.get(f"{server.url}/simulation/tip").json()["hash"] == tip_hash
    assert found == there


def test_the_front_end_has_its_page_at_every_path_that_is_none(small_chain, http):
    with SimulationServer(small_chain, role=Role.FRONTEND) as server:
        for path in ("/", "/blocks/tip/hash", "/rest/chaininfo.json", "/api"):
            answer = http.get(server.url + path)
            assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/html")
        assert http.get(f"{server.url}/api/no/such").status_code == 404


def test_an_esplora_back_end_has_prices_and_block_facts_but_no_blocks(small_chain, http):
    block_hash = small_chain.hash_at(HEIGHT)
    with SimulationServer(small_chain, role=Role.ESPLORA) as server:
        api = server.url + "/api/v1"
        assert http.get(f"{api}/prices").json()["USD"] > 0
        assert http.get(f"{api}/block/{block_hash}").json()["height"] == HEIGHT
        assert http.get(f"{api}/backend-info").json()["backend"] == "esplora"
        assert http.get(f"{api}/block/{block_hash}/raw").status_code == 404


def test_faults_go_wrong_in_every_role(small_chain, http):
    for role in Role:
        with SimulationServer(small_chain, role=role, faults=["status-502*1"]) as server:
            statuses = [http.get(server.url + "/nothing").status_code for _ in range(2)]
            assert statuses[0] == 502 != statuses[1]
