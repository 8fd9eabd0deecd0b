"""What is said of an address where no back end serves blocks."""

import pytest

from tests.unit.sources.scripted import Reply, as_json, page, silent_server, text
from utxoracle.errors import SourceError
from utxoracle.settings import Settings
from utxoracle.sources.factory import open_source

PLACES_OF_TIP = [f"{base}/blocks/tip/hash" for base in ("/api/v1", "/api", "")]
NO_TIP = {"error": "Failed to get hash at tip"}


@pytest.fixture
def source(server):
    one = open_source(f"mempool+{server.url}", Settings(retries=0))
    yield one
    one.close()


def one_line(error: pytest.ExceptionInfo) -> str:
    assert "\n" not in str(error.value)
    return str(error.value)


def test_pages_everywhere_are_a_front_end_without_its_back_end(server, source):
    for base in ("/api/v1", "/api", ""):
        server.replies[f"{base}/blocks/tip/hash"] = page()
    with pytest.raises(SourceError) as error:
        source.tip()
    assert one_line(error) == (
        f"mempool {server.place} answers with web pages only, also below /api: it is a front end "
        "without its back end, or another web site; name the back end itself, as in "
        "mempool+http://127.0.0.1:8999"
    )
    assert len(server.paths) == 3


@pytest.mark.parametrize("reply", [page(404), text("no such route", 404), as_json({}, 404)])
def test_404_everywhere_is_no_mempool_server(server, source, reply):
    server.replies = dict.fromkeys(PLACES_OF_TIP, reply)
    with pytest.raises(SourceError) as error:
        source.hash_at(5)
    assert one_line(error) == (
        f"mempool {server.place} is not a mempool server: nothing at /api/v1, /api or / serves "
        "blocks; check host, port and path (a back end's port is 8999, a front end's 8080)"
    )


@pytest.mark.parametrize(
    "info",
    [as_json([]), as_json({"backend": "x"}), as_json({"gitCommit": "?"}, 503), page(), text("{")],
)
def test_what_tells_nothing_about_itself_is_no_back_end(server, source, info):
    server.replies["/api/v1/backend-info"] = info
    with pytest.raises(SourceError, match="is not a mempool server"):
        source.hash_at(5)


def test_a_page_at_the_root_alone_is_no_mempool_server(server, source):
    server.replies["/blocks/tip/hash"] = page()
    with pytest.raises(SourceError, match="is not a mempool server"):
        source.hash_at(5)


@pytest.mark.parametrize("reply", [page(500), page(502), page(503), text("", 502), text("", 504)])
def test_a_front_end_whose_back_end_is_down_is_told_from_one_whose_node_is(server, source, reply):
    server.replies["/api/v1/blocks/tip/hash"] = reply
    server.replies["/blocks/tip/hash"] = page()
    wanted = (
        rf"is a front end or a proxy that can't reach its back end \({reply.status}\): is the b"
    )
    with pytest.raises(SourceError, match=wanted) as error:
        source.tip()
    one_line(error)


def test_a_few_words_that_are_sent_as_html_are_no_page(server, source, chain):
    place = PLACES_OF_TIP[0]
    server.replies[place] = text("connect ECONNREFUSED", 500, "text/html; charset=utf-8")
    with pytest.raises(SourceError, match="is up but can't reach its node"):
        source.tip_hash()
    server.replies[place] = text(chain.hash_at(805), content_type="text/html; charset=utf-8")
    assert source.tip_hash() == chain.hash_at(805)


@pytest.mark.parametrize("route", ["/api/v1", "/api", "/", None])
@pytest.mark.parametrize(
    ("reply", "wanted"),
    [
        (page(502), "can't reach its back end (502, tried 4 times): is the back end"),
        (page(503), "can't reach its back end (503, tried 4 times): is the back end"),
        (
            as_json(NO_TIP, 500),
            "its node (500 Failed to get hash at tip, tried 4 times): is bitcoind",
        ),
        (Reply(429, headers={"Retry-After": "4"}), "with 429, tried 4 times: try again later"),
        (page(401), "with 401: check user and password"),
        (page(403), "with 403: check user and password"),
        (Reply(301, headers={"Location": "http://x/"}), "with 301: give the address that it"),
    ],
    ids=["502", "503", "500", "429", "401", "403", "301"],
)
def test_trouble_at_one_base_ends_the_search(server, pauses, route, reply, wanted):
    server.replies = dict.fromkeys(PLACES_OF_TIP, reply)
    source = open_source(f"mempool+{server.url}", Settings(retries=3))
    source.route = route
    with pytest.raises(SourceError) as error:
        source.tip()
    source.close()
    assert wanted in one_line(error)
    root = (route or "/api/v1").rstrip("/")
    assert server.paths == [f"{root}/blocks/tip/hash"] * (len(pauses) + 1)
    assert len(pauses) == (3 if "tried 4 times" in wanted else 0)


@pytest.mark.parametrize("route", ["/api", None])
def test_a_back_end_that_hangs_is_waited_for_once(route):
    with silent_server() as (place, asked):
        source = open_source(f"mempool+http://{place}", Settings(read_timeout=0.2, retries=3))
        source.route = route
        with pytest.raises(SourceError, match=r"sent nothing for 0\.2 s: is its node hanging"):
            source.tip()
        source.close()
    assert len(asked) == 1
