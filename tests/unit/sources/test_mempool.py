import base64

import pytest

from tests.unit.sources.scripted import Reply, as_json, page, text
from utxoracle.errors import BlockCorrupt, BlockNotFound, ChainReorganised, SourceError
from utxoracle.settings import Settings
from utxoracle.sources.factory import open_source

QUICK = Settings(connect_timeout=5, read_timeout=5, retries=0)
BASE = "/api/v1"
NODE_DOWN = as_json({"error": "Failed to get hash at tip"}, 500)
NO_HEIGHT = as_json({"error": "Failed to get block at height"}, 500)
NO_HEADER = as_json({"error": "Failed to get block header"}, 500)
NO_RAW = as_json({"error": "Failed to get raw block"}, 500)


def hash_reply(block_hash: str) -> Reply:
    return text(block_hash, content_type="text/html; charset=utf-8")


@pytest.fixture
def back_end(server, chain):
    """A back end at /api/v1 whose tip is block 805, with blocks 804 and 805."""
    for height in (804, 805):
        block_hash = chain.hash_at(height)
        server.replies[f"{BASE}/block-height/{height}"] = hash_reply(block_hash)
        server.replies[f"{BASE}/block/{block_hash}"] = as_json({"id": block_hash, "height": height})
    server.replies[f"{BASE}/blocks/tip/hash"] = text(chain.hash_at(805))
    return server


@pytest.fixture
def source(server):
    one = open_source(f"mempool+{server.url}", QUICK)
    yield one
    one.close()


def one_line(error: pytest.ExceptionInfo) -> str:
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("path", ["", "/", "/api", "/api/v1", "/behind/a/proxy"])
@pytest.mark.parametrize("base", ["/api/v1", "/api", "/"])
def test_the_base_is_found_below_the_given_path_by_asking_once(server, chain, path, base):
    root = (path.rstrip("/") + base).rstrip("/")
    server.replies[f"{root}/blocks/tip/hash"] = text(chain.hash_at(805))
    server.replies[f"{root}/block-height/805"] = hash_reply(chain.hash_at(805))
    source = open_source(f"mempool+{server.url}{path}", QUICK)
    assert server.paths == []
    assert source.hash_at(805) == chain.hash_at(805)
    asked = len(server.paths)
    source.hash_at(805)
    assert len(server.paths) == asked + 1
    assert source.route == base
    source.close()


def test_the_hash_of_the_tip_is_one_request_and_finds_the_base(back_end, source, chain):
    assert source.route is None
    for _ in range(2):
        assert source.tip_hash() == chain.hash_at(805)
        assert source.route == BASE
    assert back_end.paths == [f"{BASE}/blocks/tip/hash"] * 2
    assert source.hash_at(804) == chain.hash_at(804)
    assert back_end.paths[2:] == [f"{BASE}/block-height/804"]


@pytest.mark.parametrize("route", ["/api/v1", "/api", "/"])
def test_a_route_that_is_set_is_the_only_one_asked(server, source, chain, route):
    for base in ("/api/v1", "/api", ""):
        server.replies[f"{base}/blocks/tip/hash"] = text(chain.hash_at(805))
    source.route = route
    assert source.route == route
    assert source.tip_hash() == chain.hash_at(805)
    assert server.paths == [f"{route.rstrip('/')}/blocks/tip/hash"]
    source.route = "/api"
    assert source.route == "/api"


@pytest.mark.parametrize("route", ["/api", "/api/v2", "", "electrs 127.0.0.1:3000", None])
def test_a_route_that_can_not_be_or_does_not_serve_is_looked_up(back_end, source, chain, route):
    source.route = route
    assert source.route == ("/api" if route == "/api" else None)
    assert source.tip_hash() == chain.hash_at(805)
    assert source.route == BASE
    assert back_end.paths[route == "/api" :] == [f"{BASE}/blocks/tip/hash"]


@pytest.mark.parametrize("reply", [page(), page(404), text("", 404), text("hello"), Reply(200, "")])
def test_a_route_that_is_set_is_given_up_for_one_that_serves(back_end, source, chain, reply):
    source.route = "/"
    back_end.replies["/blocks/tip/hash"] = reply
    assert source.hash_at(804) == chain.hash_at(804)
    assert source.route == BASE


@pytest.mark.parametrize("route", ["/api/v1", "/api", "/", None])
def test_an_outage_is_told_the_same_whatever_route_is_set(server, source, closed_port, route):
    source.route = route
    server.replies[f"{(route or BASE).rstrip('/')}/blocks/tip/hash"] = NODE_DOWN
    wanted = f"^mempool {server.place} is up but can't reach its node .500 Failed to get hash at"
    for ask in (source.tip_hash, source.tip):
        with pytest.raises(SourceError, match=wanted) as error:
            ask()
        one_line(error)
    assert source.route == route
    gone = open_source(f"mempool+http://127.0.0.1:{closed_port}", QUICK)
    gone.route = route
    with pytest.raises(SourceError, match=f"^mempool 127.0.0.1:{closed_port} refused the connec"):
        gone.tip_hash()
    assert gone.route == route


def test_an_outage_behind_a_known_route_is_told_as_well(back_end, source):
    source.tip_hash()
    back_end.replies[f"{BASE}/blocks/tip/hash"] = NODE_DOWN
    with pytest.raises(SourceError, match="is up but can't reach its node"):
        source.tip_hash()
    back_end.replies[f"{BASE}/blocks/tip/hash"] = page(403)
    with pytest.raises(SourceError, match="with 403: check user and password"):
        source.tip_hash()


def test_a_page_with_status_200_is_no_base(server, source, chain):
    for base in ("/api/v1", "/api"):
        server.replies[f"{base}/blocks/tip/hash"] = page()
    server.replies["/blocks/tip/hash"] = text(chain.hash_at(805))
    server.replies["/block-height/805"] = hash_reply(chain.hash_at(805))
    assert source.hash_at(805) == chain.hash_at(805)


def test_an_answer_200_that_is_no_hash_is_refused(server, source):
    server.replies[f"{BASE}/blocks/tip/hash"] = text("hello")
    with pytest.raises(SourceError, match="gave 'hello' where a block hash belongs"):
        source.tip()


def test_a_back_end_whose_node_is_down_is_told_from_one_that_is_down(server, source, closed_port):
    server.replies[f"{BASE}/blocks/tip/hash"] = NODE_DOWN
    with pytest.raises(SourceError, match="is up but can't reach its node") as error:
        source.tip()
    assert "500 Failed to get hash at tip" in one_line(error)
    gone = open_source(f"mempool+http://127.0.0.1:{closed_port}", QUICK)
    with pytest.raises(SourceError, match=f"^mempool 127.0.0.1:{closed_port} refused the connec"):
        gone.tip()


def test_the_tip_is_the_hash_of_the_node_and_the_height_of_its_block(back_end, source, chain):
    assert source.tip() == (805, chain.hash_at(805))
    assert not any("tip/height" in path for path in back_end.paths)


def test_the_tip_is_asked_again_when_a_reorganisation_comes_between(back_end, source, chain):
    back_end.replies[f"{BASE}/blocks/tip/hash"] = [
        text(chain.hash_at(805)),
        text(chain.hash_at(805)),
        text(chain.hash_at(804)),
    ]
    back_end.replies[f"{BASE}/block-height/805"] = NO_HEIGHT
    assert source.tip() == (804, chain.hash_at(804))


def test_a_tip_that_is_never_at_its_height_is_refused(back_end, source, chain):
    back_end.replies[f"{BASE}/block-height/805"] = hash_reply(chain.hash_at(804))
    with pytest.raises(
        ChainReorganised, match="its chain is changing, try again in a min"
    ) as error:
        source.tip()
    one_line(error)
    assert back_end.paths.count(f"{BASE}/block-height/805") == 4


@pytest.mark.parametrize("reply", [as_json({"error": "Failed to get block"}, 500), text("", 404)])
def test_the_tip_is_asked_again_when_its_block_is_gone_at_once(back_end, source, chain, reply):
    block = as_json({"id": chain.hash_at(805), "height": 805})
    back_end.replies[f"{BASE}/block/{chain.hash_at(805)}"] = [reply, block]
    assert source.tip() == (805, chain.hash_at(805))
    back_end.replies[f"{BASE}/block/{chain.hash_at(805)}"] = [reply] * 4
    with pytest.raises(SourceError, match=f"answered GET .* with {reply.status}"):
        source.tip()


def test_the_tip_is_waited_for_while_its_node_restarts(server, chain, pauses):
    source = open_source(f"mempool+{server.url}", Settings(retries=3))
    server.replies[f"{BASE}/blocks/tip/hash"] = [NODE_DOWN] * 3 + [text(chain.hash_at(805))]
    assert source.tip_hash() == chain.hash_at(805)
    server.replies[f"{BASE}/blocks/tip/hash"] = [NODE_DOWN] * 4
    with pytest.raises(SourceError, match="is up but can't reach its node"):
        source.tip_hash()
    assert len(pauses) == 6
    source.close()


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (as_json({"id": "ab" * 32, "height": 805}), "with another block"),
        (as_json([]), "with another block"),
        (text("not json"), "isn't JSON"),
        (page(404), "with 404: is this the right address"),
        (text("", 403), "with 403: check user and password"),
    ],
)
def test_a_block_that_is_not_the_one_asked_for_is_refused(back_end, source, chain, reply, reason):
    back_end.replies[f"{BASE}/block/{chain.hash_at(805)}"] = reply
    with pytest.raises(SourceError, match=reason) as error:
        source.tip()
    one_line(error)


@pytest.mark.parametrize("height", [-1, "805", None, 1.5])
def test_a_height_that_is_none_is_refused(back_end, source, chain, height):
    block_hash = chain.hash_at(805)
    back_end.replies[f"{BASE}/block/{block_hash}"] = as_json({"id": block_hash, "height": height})
    with pytest.raises(SourceError, match="where a block height belongs"):
        source.tip()


@pytest.mark.parametrize("reply", [NO_HEIGHT, text("anything", 404), page(500)])
def test_a_height_beyond_the_tip_is_not_found(back_end, source, reply):
    back_end.replies[f"{BASE}/block-height/806"] = reply
    with pytest.raises(BlockNotFound, match="has no block 806; its newest is 805"):
        source.hash_at(806)


def test_a_height_below_the_tip_is_not_found_only_when_the_back_end_says_so(back_end, source):
    back_end.replies[f"{BASE}/block-height/7"] = NO_HEIGHT
    with pytest.raises(BlockNotFound, match="has no block 7"):
        source.hash_at(7)
    back_end.replies[f"{BASE}/block-height/7"] = page(502)
    with pytest.raises(
        SourceError, match=f"answered GET .*{BASE}/block-height/7 with 502"
    ) as error:
        source.hash_at(7)
    assert not isinstance(error.value, BlockNotFound)


def test_a_height_is_asked_for_again_when_its_node_was_busy_for_a_moment(back_end, source, chain):
    path = f"{BASE}/block-height/804"
    back_end.replies[path] = [NO_HEIGHT, hash_reply(chain.hash_at(804))]
    assert source.hash_at(804) == chain.hash_at(804)
    back_end.replies[path] = [NO_HEIGHT, NO_HEIGHT]
    with pytest.raises(BlockNotFound, match="has no block 804; its newest is 805"):
        source.hash_at(804)
    back_end.replies[path] = [NO_HEIGHT, page(502)]
    with pytest.raises(SourceError, match="with 502: try again later") as error:
        source.hash_at(804)
    assert not isinstance(error.value, BlockNotFound)


def test_a_height_beyond_the_tip_is_asked_for_once(back_end, source):
    back_end.replies[f"{BASE}/block-height/806"] = [NO_HEIGHT]
    with pytest.raises(BlockNotFound):
        source.hash_at(806)
    assert back_end.paths.count(f"{BASE}/block-height/806") == 1


@pytest.mark.parametrize("reply", [NO_HEIGHT, NO_HEADER, NO_RAW])
def test_no_block_is_called_missing_while_the_node_is_down(back_end, source, chain, reply):
    block_hash = chain.hash_at(805)
    source.tip()
    back_end.replies[f"{BASE}/blocks/tip/hash"] = NODE_DOWN
    for path in ("block-height/806", f"block/{block_hash}/header", f"block/{block_hash}/raw"):
        back_end.replies[f"{BASE}/{path}"] = reply
    for ask, what in (
        (source.hash_at, 806),
        (source.header, block_hash),
        (source.raw_block, block_hash),
    ):
        with pytest.raises(SourceError, match="500 Failed to get hash at tip") as error:
            ask(what)
        assert not isinstance(error.value, BlockNotFound)


@pytest.mark.parametrize("route", ["header", "raw"])
def test_no_block_is_called_missing_because_the_node_restarted(back_end, chain, pauses, route):
    source = open_source(f"mempool+{back_end.url}", Settings(retries=3))
    source.tip()
    kind = "application/octet-stream" if route == "raw" else "text/plain"
    there = Reply(200, kind, chain.header(804).hex().encode())
    back_end.replies[f"{BASE}/block/{chain.hash_at(804)}/{route}"] = [NO_RAW, there]
    tip = text(chain.hash_at(805))
    back_end.replies[f"{BASE}/blocks/tip/hash"] = [NODE_DOWN, NODE_DOWN, tip]
    ask = source.raw_block if route == "raw" else source.header
    assert ask(chain.hash_at(804)) in (there.body, chain.header(804))
    assert len(pauses) == 2
    source.close()


@pytest.mark.parametrize("status", [404, 500])
def test_a_page_does_not_say_that_a_block_is_missing(back_end, source, chain, status):
    back_end.replies[f"{BASE}/block/{chain.hash_at(804)}/raw"] = page(status)
    with pytest.raises(SourceError, match=f"with {status}: ") as error:
        source.raw_block(chain.hash_at(804))
    assert not isinstance(error.value, BlockNotFound)


def test_a_few_words_that_are_sent_as_html_say_that_a_block_is_missing(back_end, source, chain):
    words = text("Block not found", 500, "text/html; charset=utf-8")
    back_end.replies[f"{BASE}/block/{chain.hash_at(804)}/raw"] = words
    with pytest.raises(BlockNotFound):
        source.raw_block(chain.hash_at(804))


def test_a_missing_header_or_block_is_not_found_while_the_node_is_up(back_end, source, chain):
    block_hash = chain.hash_at(804)
    back_end.replies[f"{BASE}/block/{block_hash}/header"] = NO_HEADER
    back_end.replies[f"{BASE}/block/{block_hash}/raw"] = NO_RAW
    with pytest.raises(BlockNotFound, match=f"has no block {block_hash} .*may have pruned it"):
        source.header(block_hash)
    with pytest.raises(BlockNotFound, match="500 Failed to get raw block"):
        source.raw_block(block_hash)


def test_another_header_than_the_one_asked_for_is_corrupt(back_end, source, chain):
    block_hash = chain.hash_at(804)
    path = f"{BASE}/block/{block_hash}/header"
    back_end.replies[path] = text(chain.header(804).hex())
    assert source.header(block_hash) == chain.header(804)
    back_end.replies[path] = text(chain.header(805).hex())
    with pytest.raises(BlockCorrupt, match=f"header for block {block_hash} that hashes to"):
        source.header(block_hash)
    back_end.replies[path] = text("not hex")
    assert back_end.paths.count(path) == 3
    back_end.replies[path] = [text(chain.header(805).hex()), text(chain.header(804).hex())]
    assert source.header(block_hash) == chain.header(804)
    back_end.replies[path] = text("not hex")
    with pytest.raises(SourceError, match="where hex digits belong"):
        source.header(block_hash)
    assert back_end.paths.count(path) == 6


def test_a_raw_block_is_octets_of_a_limited_size(back_end, source, chain):
    block_hash = chain.hash_at(804)
    path = f"{BASE}/block/{block_hash}/raw"
    back_end.replies[path] = Reply(200, "application/octet-stream", bytes(4_200_000))
    assert source.raw_block(block_hash) == bytes(4_200_000)
    back_end.replies[path] = Reply(200, "application/octet-stream", bytes(4_200_001))
    with pytest.raises(SourceError, match="more than the 4,200,000 bytes"):
        source.raw_block(block_hash)
    back_end.replies[path] = page()
    with pytest.raises(SourceError, match="with text/html, not with a block") as error:
        source.raw_block(block_hash)
    one_line(error)


def test_a_user_of_the_url_is_sent_and_not_shown(back_end):
    source = open_source(f"mempool+http://me:hunter2@{back_end.place}", QUICK)
    source.tip()
    wanted = "Basic " + base64.b64encode(b"me:hunter2").decode()
    assert {asked.headers["Authorization"] for asked in back_end.asked} == {wanted}
    assert "hunter2" not in source.name
    back_end.replies.clear()
    with pytest.raises(SourceError) as error:
        source.tip()
    assert "hunter2" not in one_line(error)
    source.close()
