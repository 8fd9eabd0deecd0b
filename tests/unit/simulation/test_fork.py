"""A reorganisation while the chain is served: what each route says of both branches."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from utxoracle.errors import UsageError
from utxoracle.simulation.server import SimulationServer

FORK, OLD_TIP = 900, 920
SECONDS = 30


@pytest.fixture
def server(small_chain):
    with SimulationServer(small_chain, tip=OLD_TIP) as running:
        yield running


@pytest.fixture(scope="module")
def branch(small_chain):
    return small_chain.branch(FORK)


def fork(http, server, height, tip):
    return http.post(f"{server.url}/simulation/fork", json={"height": height, "tip": tip})


def rpc(http, server, *calls):
    batch = [{"id": 1, "method": method, "params": params} for method, *params in calls]
    return [reply["result"] for reply in http.post(server.url, json=batch).json()]


@pytest.mark.parametrize("tip", [FORK, OLD_TIP - 1, OLD_TIP, OLD_TIP + 30])
def test_every_route_goes_over_to_the_branch(server, branch, http, tip):
    answer = fork(http, server, FORK, tip)
    best = branch.hash_at(tip)
    facts = {"height": tip, "hash": best, "time": branch.time_at(tip)}
    assert answer.json() == facts == http.get(f"{server.url}/simulation/tip").json()
    assert server.tip == tip

    api, rest = server.url + "/api/v1", server.url + "/rest"
    assert http.get(f"{api}/blocks/tip/hash").text == best
    assert http.get(f"{api}/blocks/tip/height").text == str(tip)
    assert http.get(f"{api}/block-height/{FORK}").text == branch.hash_at(FORK)
    assert http.get(f"{api}/block-height/{tip + 1}").status_code == 500
    assert http.get(f"{api}/block/{best}/raw").content == branch.raw_block(tip)
    assert http.get(f"{api}/block/{best}").json()["stale"] is False
    info = http.get(f"{rest}/chaininfo.json").json()
    assert (info["blocks"], info["bestblockhash"]) == (tip, best)
    assert http.get(f"{rest}/blockhashbyheight/{FORK}.hex").text == branch.hash_at(FORK) + "\n"
    shared = branch.hash_at(FORK - 1)
    headers = branch.header(FORK - 1) + branch.header(FORK)
    assert http.get(f"{rest}/headers/{shared}.bin?count=2").content == headers
    assert rpc(
        http,
        server,
        ("getblockcount",),
        ("getbestblockhash",),
        ("getblockhash", FORK),
        ("getblock", best, 0),
    ) == [tip, best, branch.hash_at(FORK), branch.raw_block(tip).hex()]


def test_mempool_serves_stale_blocks_by_hash_and_says_so(server, small_chain, branch, http):
    fork(http, server, FORK, OLD_TIP - 5)
    for height in (FORK, OLD_TIP - 5, OLD_TIP):
        stale = small_chain.hash_at(height)
        url = f"{server.url}/api/v1/block/{stale}"
        assert http.get(url + "/raw").content == small_chain.raw_block(height)
        assert http.get(url + "/header").text == small_chain.header(height).hex()
        assert len(http.get(url + "/txids").json()) == small_chain.facts_at(height).tx_count
        block = http.get(url).json()
        assert (block["id"], block["height"], block["stale"]) == (stale, height, True)
        assert block["mediantime"] == small_chain.median_time_at(height)
        canonical = branch.hash_at(height) if height <= OLD_TIP - 5 else None
        assert block.get("canonical") == canonical
        if canonical:
            assert http.get(f"{server.url}/api/v1/block-height/{height}").text == canonical


def test_bitcoind_serves_stale_blocks_by_hash_but_no_headers_from_there(server, small_chain, http):
    fork(http, server, FORK, OLD_TIP + 1)
    stale = small_chain.hash_at(FORK)
    raw = small_chain.raw_block(FORK)
    assert http.get(f"{server.url}/rest/block/{stale}.bin").content == raw
    assert http.get(f"{server.url}/rest/headers/{stale}.json").json() == []
    assert http.get(f"{server.url}/rest/headers/{stale}.bin").content == b""
    block, header, facts = rpc(
        http,
        server,
        ("getblock", stale, 0),
        ("getblockheader", stale, False),
        ("getblockheader", stale),
    )
    assert (block, header) == (raw.hex(), raw[:80].hex())
    assert (facts["confirmations"], facts["height"]) == (-1, FORK)
    assert facts["previousblockhash"] == small_chain.hash_at(FORK - 1)
    assert "nextblockhash" not in facts


def test_blocks_that_were_never_shown_do_not_become_stale(server, small_chain, http):
    fork(http, server, FORK, OLD_TIP + 5)
    hidden = small_chain.hash_at(OLD_TIP + 1)
    assert http.get(f"{server.url}/api/block/{hidden}").status_code == 500
    assert http.get(f"{server.url}/rest/block/{hidden}.bin").status_code == 404


def test_a_tip_that_moves_back_after_a_fork_hides_blocks_but_not_stale_ones(
    server, small_chain, branch, http
):
    fork(http, server, FORK, OLD_TIP)
    server.tip = FORK - 10
    for hidden in (small_chain.hash_at(FORK - 1), branch.hash_at(FORK)):
        assert http.get(f"{server.url}/api/block/{hidden}").status_code == 500
    assert http.get(f"{server.url}/api/block/{small_chain.hash_at(FORK)}").json()["stale"]
    server.tip = OLD_TIP
    assert http.get(f"{server.url}/api/blocks/tip/hash").text == branch.hash_at(OLD_TIP)


def test_a_fork_above_the_tip_makes_nothing_stale(small_chain, branch, http):
    with SimulationServer(small_chain, tip=FORK - 10) as server:
        server.fork(FORK, FORK)
        shown = http.get(f"{server.url}/api/block-height/{FORK - 1}").text
        assert shown == small_chain.hash_at(FORK - 1)
        assert http.get(f"{server.url}/api/block-height/{FORK}").text == branch.hash_at(FORK)
        url = f"{server.url}/api/block/{small_chain.hash_at(FORK)}"
        assert http.get(url).status_code == 500


def test_each_of_many_forks_leaves_its_blocks_behind(server, small_chain, http):
    chains = [small_chain]
    for height in (FORK + 5, FORK, FORK + 8, FORK):
        fork(http, server, height, OLD_TIP)
        chains.append(chains[-1].branch(height))
    hashes = {chain.hash_at(OLD_TIP): chain for chain in chains}
    assert len(hashes) == len(chains)
    for block_hash, chain in hashes.items():
        raw = http.get(f"{server.url}/api/block/{block_hash}/raw").content
        assert raw == chain.raw_block(OLD_TIP)
        stale = http.get(f"{server.url}/api/block/{block_hash}").json()["stale"]
        assert bool(stale) == (chain is not chains[-1])
    # The first fork kept these blocks of the first chain, the second one didn't.
    kept = http.get(f"{server.url}/api/block/{small_chain.hash_at(FORK + 4)}").json()
    assert (kept["height"], kept["stale"]) == (FORK + 4, True)


def test_exchange_prices_follow_the_fork(server, small_chain, branch, http):
    height = small_chain.first_height + 10
    old, new = (chain.time_at(OLD_TIP) // 3600 for chain in (small_chain, branch))
    url = f"{server.url}/api/v1/historical-price"

    def row_at(time):
        return http.get(url, params={"timestamp": time, "currency": "USD"}).json()["prices"][0]

    shared, before = row_at(small_chain.time_at(height)), row_at(10**10)
    fork(http, server, FORK, OLD_TIP)
    after = row_at(10**10)
    assert row_at(small_chain.time_at(height)) == shared
    assert (before["time"], after["time"]) == (3600 * old, 3600 * new)
    assert after["USD"] == round(branch.price_at(branch.newest_at(3600 * new)))
    assert before["USD"] == round(small_chain.price_at(small_chain.newest_at(3600 * old)))
    latest = http.get(f"{server.url}/api/v1/prices").json()
    assert (latest["time"], latest["USD"]) == (after["time"], after["USD"])


def test_an_answer_under_way_knows_nothing_of_a_fork(small_chain, branch, http):
    old = small_chain.hash_at(OLD_TIP)
    with (
        SimulationServer(small_chain, tip=OLD_TIP, delay=0.5) as server,
        ThreadPoolExecutor(1) as pool,
    ):
        calls = (
            ("getblockcount",),
            ("getblock", old, 0),
            ("getbestblockhash",),
            ("getblockhash", FORK),
        )
        replies = pool.submit(rpc, requests, server, *calls)
        deadline = time.monotonic() + SECONDS
        while http.post(f"{server.url}/simulation/requests").json() != {"requests": ["POST /"]}:
            assert time.monotonic() < deadline
        server.fork(FORK, OLD_TIP + 3)
        assert http.get(f"{server.url}/api/block-height/{FORK}").text == branch.hash_at(FORK)
        raw = small_chain.raw_block(OLD_TIP).hex()
        assert replies.result(SECONDS) == [OLD_TIP, raw, old, small_chain.hash_at(FORK)]


@pytest.mark.parametrize(
    ("order", "message"),
    [
        ({"height": 799, "tip": 900}, "the chain can fork at 800 up to "),
        ({"height": 5000, "tip": 5001}, "the chain can fork at 800 up to "),
        ({"height": 900, "tip": 899}, "the tip of a fork at 900 can't be lower, at 899"),
        ({"height": 900, "tip": 5000}, "the tip can be moved to 800 up to "),
        ({"height": 900}, "the body must be "),
        ({"height": 900, "tip": "901"}, "the body must be "),
        ({"height": 900, "tip": 901, "by": 1}, "the body must be "),
        ([900, 901], "the body must be "),
    ],
)
def test_a_fork_that_can_not_be_changes_nothing(server, small_chain, http, order, message):
    answer = http.post(f"{server.url}/simulation/fork", json=order)
    assert answer.status_code == 400
    assert answer.json()["error"].startswith(message)
    assert http.get(f"{server.url}/api/blocks/tip/hash").text == small_chain.hash_at(OLD_TIP)


def test_a_fork_is_ordered_by_post_and_as_json(server, http):
    assert http.get(f"{server.url}/simulation/fork").status_code == 404
    assert http.post(f"{server.url}/simulation/fork", data="{").status_code == 400
    with pytest.raises(UsageError, match="the chain can fork at 800"):
        server.fork(1, 2)
