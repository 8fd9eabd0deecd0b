"""Answers that were spoilt before they were sent."""

import gzip

import pytest

from tests.unit.simulation.faulty import HEIGHT, ask, connected, faulty, paths_of, send
from utxoracle.bitcoin.encoding import double_sha256, hash_to_hex
from utxoracle.bitcoin.header import parse_header
from utxoracle.bitcoin.merkle import merkle_root
from utxoracle.bitcoin.network import REGTEST
from utxoracle.bitcoin.scan import hash_transactions, scan_block
from utxoracle.bitcoin.walk import walk
from utxoracle.errors import BlockCorrupt
from utxoracle.simulation.block import build_body
from utxoracle.simulation.faults import Step
from utxoracle.simulation.spoil import with_flipped_witness


@pytest.mark.parametrize(
    ("kind", "status", "retry_after"),
    [("500", 500, None), ("502", 502, None), ("503", 503, None), ("429", 429, "1")],
)
def test_a_status_comes_with_a_page(server, http, kind, status, retry_after):
    with faulty(server, f"status-{kind}"):
        answer = http.get(f"{server.url}/api/v1/prices")
    assert (answer.status_code, answer.headers["Content-Type"]) == (status, "text/html")
    assert answer.text.startswith("<html>")
    assert answer.headers.get("Retry-After") == retry_after


def test_html_is_a_page_in_the_place_of_an_answer(server, http):
    with faulty(server, "html"):
        answer = http.get(f"{server.url}/api/v1/blocks/tip/hash")
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/html")
    assert answer.text.startswith("<html>")


def test_empty_is_an_answer_without_a_body(server, small_chain, http):
    with faulty(server, "empty"):
        answer = http.get(f"{server.url}/api/v1/block/{small_chain.hash_at(HEIGHT)}/raw")
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["Content-Length"] == "0"


def raw_of(answer):
    """Return the raw block in whatever form it was sent."""
    match answer.headers["Content-Type"]:
        case "application/octet-stream":
            return answer.content
        case "application/json":
            return bytes.fromhex(answer.json()["result"])
    return bytes.fromhex(answer.text)


def differences(one, other):
    assert len(one) == len(other)
    return [at for at in range(len(one)) if one[at] != other[at]]


@pytest.mark.parametrize("step", Step)
def test_a_flip_changes_one_byte_of_what_counts(server, small_chain, http, step):
    for wanted in paths_of(small_chain)[step]:
        good = send(http, server, wanted)
        with faulty(server, "flip"):
            bad = send(http, server, wanted)
        [at] = differences(good.content, bad.content)
        assert bad.headers["Content-Type"] == good.headers["Content-Type"]
        if "json" in good.headers["Content-Type"]:
            assert bad.json() != good.json()
        elif "text" in good.headers["Content-Type"]:
            assert bad.text[at] in "0123456789abcdef"


@pytest.mark.parametrize("number", range(4))
def test_a_flipped_witness_is_told_by_the_commitment_alone(server, small_chain, http, number):
    wanted = paths_of(small_chain)[Step.BLOCK][number]
    raw = small_chain.raw_block(HEIGHT)
    with faulty(server, "flip-witness"):
        bad = raw_of(send(http, server, wanted))
        header = http.get(f"{server.url}/api/v1/block/{small_chain.hash_at(HEIGHT)}/header")
    assert header.text == small_chain.header(HEIGHT).hex()
    assert len(differences(raw, bad)) == 1
    assert merkle_root(hash_transactions(bad, walk(bad))) == parse_header(bad[:80]).merkle_root
    with pytest.raises(BlockCorrupt, match="witness"):
        scan_block(bad, height=HEIGHT, expected_hash=small_chain.hash_at(HEIGHT), network=REGTEST)


def test_a_block_without_payments_has_a_witness_to_flip_too():
    body = build_body("x", 1, mean=0, price=1.0, noise=0.0, samples=[])
    raw = bytes(80) + bytes(body.raw)
    assert len(differences(raw, with_flipped_witness(raw))) == 1


def test_another_block_comes_in_the_place_of_the_one_that_was_asked_for(server, small_chain, http):
    before = small_chain.raw_block(HEIGHT - 1)
    steps = paths_of(small_chain)
    with faulty(server, "other"):
        for wanted in steps[Step.BLOCK]:
            assert raw_of(send(http, server, wanted)) == before
        texts = [send(http, server, wanted).text for wanted in steps[Step.HASH]]
        header = http.get(server.url + steps[Step.HEADER][0]).text
        binary = http.get(server.url + steps[Step.HEADER][1]).content
        tip = http.get(f"{server.url}/api/v1/blocks/tip/hash").text
        first = http.get(f"{server.url}/api/v1/block-height/{small_chain.first_height}").text
        genesis = http.get(f"{server.url}/api/v1/block-height/0").text
    assert all(small_chain.hash_at(HEIGHT - 1) in text for text in texts)
    assert bytes.fromhex(header) == binary == before[:80]
    assert tip == small_chain.hash_at(small_chain.tip_height - 1)
    assert first == small_chain.hash_at(small_chain.first_height + 1)
    assert genesis == small_chain.hash_at(small_chain.first_height)


def test_a_stale_block_is_well_formed_but_not_of_the_best_chain(server, small_chain, http):
    steps = paths_of(small_chain)
    with faulty(server, "stale"):
        blocks = [raw_of(send(http, server, wanted)) for wanted in steps[Step.BLOCK]]
        stale = http.get(server.url + steps[Step.HASH][0]).text
        headers = [
            bytes.fromhex(http.get(server.url + steps[Step.HEADER][0]).text),
            http.get(server.url + steps[Step.HEADER][1]).content,
        ]
    assert set(blocks) == {blocks[0]}
    assert headers == 2 * [blocks[0][:80]]
    assert hash_to_hex(double_sha256(headers[0])) == stale != small_chain.hash_at(HEIGHT)
    scan_block(blocks[0], height=HEIGHT, expected_hash=stale, network=REGTEST)
    assert parse_header(headers[0]).prev_hash == small_chain.hash_at(HEIGHT - 1)
    # As after a reorganisation, it is known from then on.
    facts = http.get(f"{server.url}/api/v1/block/{stale}").json()
    assert (facts["height"], facts["stale"]) == (HEIGHT, 1)
    assert facts["canonical"] == small_chain.hash_at(HEIGHT)


def test_a_stale_tip_is_confirmed_by_nothing_but_itself(server, small_chain, http):
    with faulty(server, "stale@tip"):
        tip = http.get(f"{server.url}/api/v1/blocks/tip/hash").text
        assert http.get(f"{server.url}/rest/chaininfo.json").json()["bestblockhash"] == tip
        facts = http.get(f"{server.url}/api/v1/block/{tip}").json()
        confirmed = http.get(f"{server.url}/api/v1/block-height/{facts['height']}").text
    assert (facts["id"], facts["height"]) == (tip, small_chain.tip_height)
    assert confirmed == small_chain.hash_at(small_chain.tip_height) != tip


@pytest.mark.parametrize("kind", ["other", "stale"])
def test_stale_exchange_prices_are_a_day_old(server, small_chain, http, kind):
    tip_time = small_chain.time_at(small_chain.tip_height)
    path = f"/api/v1/historical-price?timestamp={tip_time}&currency=USD"
    good = http.get(server.url + path).json()["prices"][0]["time"]
    with faulty(server, kind):
        bad = http.get(server.url + path).json()["prices"][0]["time"]
        latest = http.get(f"{server.url}/api/v1/prices").json()["time"]
    assert good - bad == good - latest == 86_400


def test_gzip_comes_though_nobody_asked_for_it(server, small_chain):
    raw = small_chain.raw_block(HEIGHT)
    with faulty(server, "gzip"), connected(server) as connection:
        answer = ask(connection, f"/api/v1/block/{small_chain.hash_at(HEIGHT)}/raw")
        assert answer.headers["Content-Encoding"] == "gzip"
        assert gzip.decompress(answer.read()) == raw


def test_a_redirect_leads_to_another_host(server, http):
    path = "/api/v1/historical-price?timestamp=5&currency=USD"
    with faulty(server, "redirect"):
        answer = http.get(server.url + path, allow_redirects=False)
    assert (answer.status_code, answer.content) == (302, b"")
    assert answer.headers["Location"] == server.url.replace("127.0.0.1", "127.0.0.2") + path
