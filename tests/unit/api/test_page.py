import re
from dataclasses import replace

import falcon
import pytest
from falcon.testing import TestClient

from tests.unit.store.samples import EXCHANGE, NO_EXCHANGE, NO_PRICE, batch, facts, window_row
from utxoracle import __version__
from utxoracle.api.access import Access
from utxoracle.api.answers import Answers
from utxoracle.api.headers import PAGE_POLICY
from utxoracle.api.page import Page
from utxoracle.api.problems import add_problems
from utxoracle.api.static import Assets
from utxoracle.bitcoin.network import REGTEST
from utxoracle.settings import HEALTH, PAGE, Settings
from utxoracle.store.database import Database
from utxoracle.store.snapshot import publish

NAMES = [
    "static", "price", "label", "exchange", "difference", "confidence", "height", "timestamp",
    "time", "state", "message", "stall_minutes", "version", "network",
]  # fmt: skip
TEMPLATE = "\n".join(f"{name}=${name};" for name in NAMES) + "\n$$"
TOKEN = "0123456789abcdef"
NEVER, ALWAYS = 1e9, 0.0
"""Minutes after which the newest block, of last year or so, is stale."""


def store(folder, row):
    with Database.open(folder, REGTEST) as database:
        database.commit(replace(batch(row.height, row.height), windows=[row]))
    publish(folder)


@pytest.fixture
def web(tmp_path):
    web = tmp_path / "web"
    (web / "vendor").mkdir(parents=True)
    (web / "index.html").write_text(TEMPLATE)
    (web / "vendor" / "plotly.min.js.gz").write_bytes(b"made of it elsewhere")
    return web


@pytest.fixture
def client_of(folder, web):
    def make(stall_minutes=NEVER, token=None):
        page = Page(
            Answers(folder, private=False),
            Assets(web),
            Access(token, frozenset({HEALTH, PAGE})),
            Settings(stall_minutes=stall_minutes),
            ["/", "/health"],
        )
        app = falcon.App()
        add_problems(app)
        app.add_route("/", page)
        return TestClient(app)

    return make


def shown(answer):
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert answer.headers["Content-Security-Policy"] == PAGE_POLICY
    assert answer.headers["Vary"] == "Accept, Authorization"
    found = dict(re.findall(r"^(\w+)=(.*);$", answer.text, re.MULTILINE))
    assert list(found) == NAMES
    assert answer.text.endswith("\n$")
    return found


def test_the_newest_price_is_in_the_page(client_of, folder):
    store(folder, window_row(145))
    answer = client_of().simulate_get("/")
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-cache"
    page = shown(answer)
    assert re.fullmatch(rf"/static/{re.escape(__version__)}-[0-9a-f]+", page.pop("static"))
    assert page == {
        "price": "$60,000",
        "label": "UTXOracle Block Window Price",
        "exchange": "$60,100",
        "difference": "+0.17 %",
        "confidence": "0.67",
        "height": "145",
        "timestamp": "2025-11-23T00:10:00Z",
        "time": "2025-11-23 00:10 UTC",
        "state": "ok",
        "message": "",
        "stall_minutes": "1e+09",
        "version": __version__,
        "network": "regtest",
    }


def test_an_exchange_price_below_and_great_numbers_are_written_as_people_read_them(
    client_of, folder
):
    row = window_row(930_123, exchange=replace(EXCHANGE, price=1_234_567.5))
    store(folder, replace(row, facts=facts(1_250_000.4)))
    page = shown(client_of().simulate_get("/"))
    assert page["price"] == "$1,250,000"
    assert page["exchange"] == "$1,234,568"
    assert page["difference"] == "-1.23 %"
    assert page["height"] == "930,123"


def test_without_an_exchange_price_there_is_no_difference(client_of, folder):
    store(folder, window_row(145, exchange=NO_EXCHANGE))
    page = shown(client_of().simulate_get("/"))
    assert (page["price"], page["exchange"], page["difference"]) == ("$60,000", "none", "none")
    assert page["state"] == "ok"


def test_an_old_price_says_so(client_of, folder):
    store(folder, window_row(145))
    page = shown(client_of(ALWAYS).simulate_get("/"))
    assert (page["state"], page["price"]) == ("stale", "$60,000")
    assert page["message"].startswith("The newest block is older than 0 minutes")


@pytest.mark.parametrize("stall_minutes", [NEVER, ALWAYS])
def test_a_price_that_is_not_valid_says_why_however_old(client_of, folder, stall_minutes):
    bad = replace(facts(9_000.0), is_valid=False, invalid_reason="below <b>10,000</b> USD")
    store(folder, replace(window_row(145), facts=bad))
    page = shown(client_of(stall_minutes).simulate_get("/"))
    assert (page["state"], page["price"]) == ("invalid", "$9,000")
    assert "not valid: below &lt;b&gt;10,000&lt;/b&gt; USD." in page["message"]
    assert ("older than" in page["message"]) is (stall_minutes == ALWAYS)


def test_where_no_price_was_found_none_is_made_up(client_of, folder):
    store(folder, replace(window_row(145), facts=NO_PRICE))
    page = shown(client_of().simulate_get("/"))
    assert (page["state"], page["price"], page["label"]) == ("invalid", "none", "")
    assert page["difference"] == "none"


def test_before_the_first_price_the_page_is_there(client_of):
    answer = client_of().simulate_get("/")
    page = shown(answer)
    assert answer.status_code == 200
    assert (page["state"], page["price"], page["network"]) == ("empty", "none yet", "regtest")
    assert page["message"].startswith("There is no price yet")


def test_without_a_snapshot_the_page_says_why(client_of, folder):
    folder.snapshot.unlink()
    for method in ("GET", "HEAD"):
        answer = client_of().simulate_request(method, "/")
        assert answer.status_code == 503
        assert answer.headers["Retry-After"] == "60"
        assert answer.headers["Cache-Control"] == "no-store"
        assert "ETag" not in answer.headers
    page = shown(client_of().simulate_get("/"))
    assert (page["state"], page["price"]) == ("empty", "none yet")
    assert "run utxoracle analyze" in page["message"]


def test_a_copy_without_charts_says_so_in_the_page(client_of, folder, web):
    (web / "vendor" / "plotly.min.js.gz").unlink()
    store(folder, window_row(145))
    page = shown(client_of().simulate_get("/"))
    assert (page["state"], page["price"]) == ("ok", "$60,000")
    assert page["message"].startswith("Charts are missing")


def test_what_the_browser_has_is_not_sent_again_until_something_is_different(client_of, folder):
    store(folder, window_row(145))
    client = client_of()
    first = client.simulate_get("/")
    known = {"If-None-Match": first.headers["ETag"]}
    again = client.simulate_get("/", headers=known)
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["ETag"] == first.headers["ETag"]
    assert again.headers["Content-Security-Policy"] == PAGE_POLICY
    # The same snapshot, some hours later.
    assert client_of(ALWAYS).simulate_get("/", headers=known).status_code == 200
    store(folder, window_row(146))
    assert client.simulate_get("/", headers=known).status_code == 200
    assert shown(client.simulate_get("/"))["height"] == "146"


def test_head_tells_what_get_would(client_of, folder):
    store(folder, window_row(145))
    got, head = client_of().simulate_get("/"), client_of().simulate_head("/")
    assert head.content == b""
    assert dict(head.headers) == dict(got.headers)


def test_who_brings_no_token_sees_the_page_without_any_price(client_of, folder):
    store(folder, window_row(145))
    client = client_of(token=TOKEN)
    answer = client.simulate_get("/")
    page = shown(answer)
    assert answer.status_code == 200
    assert (page["state"], page["price"]) == ("empty", "hidden")
    assert "token" in page["message"]
    for told in ("60,", "145", "2025", "regtest"):
        assert told not in answer.text
    trusted = client.simulate_get("/", headers={"Authorization": f"Bearer {TOKEN}"})
    assert shown(trusted)["price"] == "$60,000"
    assert trusted.headers["ETag"] != answer.headers["ETag"]


def test_who_brings_no_token_is_not_told_what_is_wrong_with_the_storage(client_of, folder):
    folder.snapshot.unlink()
    answer = client_of(token=TOKEN).simulate_get("/")
    assert answer.status_code == 200
    assert str(folder.path) not in answer.text


@pytest.mark.parametrize(
    ("accept", "is_page"),
    [
        (None, True),
        ("*/*", True),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", True),
        ("text/html, application/json", True),
        ("image/png", True),
        ("nonsense", True),
        ("application/json", False),
        ("application/json, */*;q=0.5", False),
        ("text/html;q=0.5, application/json", False),
    ],
)
def test_programs_that_ask_for_json_get_a_list_of_what_there_is(client_of, accept, is_page):
    headers = {} if accept is None else {"Accept": accept}
    answer = client_of().simulate_get("/", headers=headers)
    assert answer.headers["Vary"] == "Accept, Authorization"
    if is_page:
        assert shown(answer)
    else:
        assert answer.headers["Content-Type"] == "application/json"
        assert answer.json == {
            "name": "utxoracle",
            "version": __version__,
            "endpoints": ["/", "/health"],
        }


def test_the_real_page_wants_nothing_else_and_tells_the_price():
    identifiers = Assets().template.get_identifiers()
    assert set(identifiers) <= set(NAMES)
    assert {"static", "price", "time", "state", "message", "label"} <= set(identifiers)
