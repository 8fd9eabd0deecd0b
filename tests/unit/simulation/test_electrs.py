"""The routes of electrs, and the pages of transactions that the back end has too."""

import pytest

from utxoracle.bitcoin.encoding import double_sha256, hash_to_hex
from utxoracle.bitcoin.walk import walk
from utxoracle.simulation.role import Role
from utxoracle.simulation.server import SimulationServer

HEIGHT = 900
UNKNOWN = "0" * 61 + "abc"


@pytest.fixture(scope="module")
def electrs(small_chain):
    with SimulationServer(small_chain, role=Role.ELECTRS) as running:
        yield running


def test_the_chain_can_be_read_from_electrs(electrs, small_chain, http):
    tip = small_chain.tip_height
    block_hash = small_chain.hash_at(HEIGHT)
    raw = small_chain.raw_block(HEIGHT)
    block = f"{electrs.url}/block/{block_hash}"
    assert http.get(f"{electrs.url}/blocks/tip/height").text == str(tip)
    assert http.get(f"{electrs.url}/blocks/tip/hash").text == small_chain.hash_at(tip)
    assert http.get(f"{electrs.url}/block-height/{HEIGHT}").text == block_hash
    assert http.get(f"{block}/header").text == raw[:80].hex()
    assert http.get(f"{block}/raw").content == raw
    assert http.get(f"{block}/raw").headers["Content-Type"] == "application/octet-stream"
    facts = http.get(block).json()
    assert (facts["id"], facts["height"], facts["size"]) == (block_hash, HEIGHT, len(raw))
    assert "extras" not in facts
    status = http.get(f"{block}/status").json()
    following = small_chain.hash_at(HEIGHT + 1)
    assert status == {"in_best_chain": True, "height": HEIGHT, "next_best": following}
    blocks = http.get(f"{electrs.url}/blocks/{HEIGHT}").json()
    assert [one["height"] for one in blocks] == list(range(HEIGHT, HEIGHT - 10, -1))
    assert http.get(f"{electrs.url}/blocks").json()[0]["height"] == tip


@pytest.mark.parametrize(
    ("path", "failure"),
    [
        ("/block-height/9999999", (404, "Block not found")),
        ("/block-height/abc", (400, "Invalid number")),
        ("/block-height/-1", (400, "Invalid number")),
        (f"/block/{UNKNOWN}", (404, "Block not found")),
        (f"/block/{UNKNOWN}/header", (404, "Block not found")),
        (f"/block/{UNKNOWN}/raw", (404, "Block not found")),
        ("/block/xyz/raw", (400, "Invalid hex string")),
        ("/blocks/9999999", (404, "Block not found")),
        ("/block/{hash}/txs/7", (400, "start index must be a multipication of 25")),
        ("/block/{hash}/txs/100000", (404, "start index out of range")),
        ("/no/such/route", (404, 'endpoint does not exist "/no/such/route"')),
        ("/api/v1/prices", (404, 'endpoint does not exist "/api/v1/prices"')),
    ],
)
def test_electrs_fails_in_bare_text(electrs, small_chain, http, path, failure):
    answer = http.get(electrs.url + path.format(hash=small_chain.hash_at(HEIGHT)))
    assert (answer.status_code, answer.text) == failure
    assert answer.headers["Content-Type"] == "text/plain"


def test_electrs_knows_nothing_of_stale_blocks(small_chain, http):
    stale = small_chain.hash_at(HEIGHT)
    with SimulationServer(small_chain, role=Role.ELECTRS) as server:
        server.fork(HEIGHT, HEIGHT + 5)
        for route in ("", "/header", "/raw", "/txids"):
            assert http.get(f"{server.url}/block/{stale}{route}").status_code == 404
        assert http.get(f"{server.url}/block/{stale}/status").json()["in_best_chain"] is False
        # Where it goes wrong it sends one all the same.
        server.set_faults(["stale"])
        best = small_chain.branch(HEIGHT).hash_at(HEIGHT)
        raw = http.get(f"{server.url}/block/{best}/raw").content
    assert hash_to_hex(double_sha256(raw[:80])) != best


@pytest.mark.parametrize(("role", "base", "page"), [("all", "/api/v1", 10), ("electrs", "", 25)])
def test_the_pages_of_a_block_s_transactions_are_all_of_it(small_chain, http, role, base, page):
    raw = small_chain.raw_block(HEIGHT)
    layout = walk(raw)
    with SimulationServer(small_chain, role=Role(role)) as server:
        url = f"{server.url}{base}/block/{small_chain.hash_at(HEIGHT)}"
        txids = http.get(f"{url}/txids").json()
        pages = [http.get(f"{url}/txs/{start}").json() for start in range(0, len(txids), page)]
        assert http.get(f"{url}/txs").json() == pages[0]
    assert [len(one) for one in pages[:-1]] == [page] * (len(pages) - 1)
    every = [one for rows in pages for one in rows]
    assert [one["txid"] for one in every] == txids
    assert [one["size"] for one in every] == [
        end - start for start, end in zip(layout.starts, layout.ends, strict=True)
    ]
    # Header and count of transactions weigh four times their bytes too.
    around = 4 * (len(raw) - sum(one["size"] for one in every))
    assert sum(one["weight"] for one in every) + around == small_chain.facts_at(HEIGHT).weight
    coinbase, *others = every
    assert [one["is_coinbase"] for one in coinbase["vin"]] == [True]
    assert not any(one["vin"][0]["is_coinbase"] for one in others)
    assert coinbase["vin"][0]["witness"] == [64 * "0"]
    at = layout.values[0][0]
    first = every[layout.candidates[0]]
    assert first["vout"][0]["value"] == int.from_bytes(raw[at : at + 8], "little")
    assert first["locktime"] == 0
    assert first["status"]["block_height"] == HEIGHT


def test_the_list_of_blocks_is_fifteen_descending(small_chain, http):
    with SimulationServer(small_chain) as server:
        url = f"{server.url}/api/v1/blocks"
        newest = [one["height"] for one in http.get(url).json()]
        first = small_chain.first_height
        oldest = [one["height"] for one in http.get(f"{url}/{first + 2}").json()]
    tip = small_chain.tip_height
    assert newest == list(range(tip, tip - 15, -1))
    assert oldest == [first + 2, first + 1, first]
