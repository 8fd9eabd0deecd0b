import falcon
import pytest
from falcon.testing import TestClient

from utxoracle.api.headers import PAGE_POLICY, allowed_origins, header_middleware
from utxoracle.api.problems import NoData, add_problems
from utxoracle.errors import UsageError
from utxoracle.settings import Settings

HOME = "https://example.org"
OTHER = "http://192.168.1.2:3000"


class Place:
    """Answers, or fails, as a query says."""

    def on_get(self, request, response):
        ways = {
            "missing": NoData("nothing"),
            "bad": falcon.HTTPBadRequest(description="bad"),
            "down": falcon.HTTPServiceUnavailable(description="down", retry_after=60),
            "defect": KeyError("x"),
        }
        if request.query_string in ways:
            raise ways[request.query_string]
        response.vary = ["Accept"]
        if request.query_string == "known":
            response.status = falcon.HTTP_304
            return
        if request.query_string == "page":
            response.set_header("Content-Security-Policy", PAGE_POLICY)
        response.media = {}

    on_head = on_get


def client_of(cors=None):
    app = falcon.App(middleware=header_middleware(Settings(api_cors=cors)))
    add_problems(app)
    app.add_route("/place", Place())
    return TestClient(app)


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "OPTIONS"])
@pytest.mark.parametrize(
    "place", ["/place", "/place?missing", "/place?bad", "/place?defect", "/place?known", "/nowhere"]
)
def test_every_answer_has_the_security_headers(method, place):
    answer = client_of().simulate_request(method, place)
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["X-Frame-Options"] == "DENY"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert "camera=()" in answer.headers["Permissions-Policy"]
    assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
    policy = answer.headers["Content-Security-Policy"]
    assert policy == "default-src 'none'; frame-ancestors 'none'"
    assert "Access-Control-Allow-Origin" not in answer.headers
    assert "Set-Cookie" not in answer.headers


def test_the_page_keeps_its_own_policy_which_lets_nothing_in_from_elsewhere():
    policy = client_of().simulate_get("/place?page").headers["Content-Security-Policy"]
    assert policy == PAGE_POLICY
    parts = dict(part.split(" ", 1) for part in policy.split("; "))
    assert parts["default-src"] == "'none'"
    assert parts["script-src"] == parts["connect-src"] == "'self'"
    assert parts["frame-ancestors"] == parts["base-uri"] == "'none'"
    assert "*" not in policy
    assert "unsafe-eval" not in policy


@pytest.mark.parametrize("setting", [HOME, f"{OTHER} {HOME}", "*"])
@pytest.mark.parametrize(
    "place", ["/place", "/place?bad", "/place?down", "/place?defect", "/nowhere"]
)
def test_a_page_of_an_allowed_origin_may_read_answers_and_errors(setting, place):
    answer = client_of(setting).simulate_get(place, headers={"Origin": HOME})
    assert answer.headers["Access-Control-Allow-Origin"] == ("*" if setting == "*" else HOME)
    exposed = answer.headers["Access-Control-Expose-Headers"].split(", ")
    assert exposed == ["ETag", "X-Interval", "Retry-After", "Content-Disposition"]
    assert answer.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert "Access-Control-Allow-Credentials" not in answer.headers


@pytest.mark.parametrize(
    "origin", [OTHER, "https://example.org.evil", "http://example.org", "null"]
)
def test_a_page_of_another_origin_may_not(origin):
    for method in ("GET", "OPTIONS"):
        answer = client_of(HOME).simulate_request(
            method,
            "/place",
            headers={"Origin": origin, "Access-Control-Request-Method": "GET"},
        )
        assert not [name for name in answer.headers if name.startswith("access-control-")]


def test_caches_keep_the_answers_of_origins_apart():
    for headers in ({}, {"Origin": HOME}, {"Origin": OTHER}):
        answer = client_of(HOME).simulate_get("/place", headers=headers)
        assert answer.headers["Vary"] == "Accept, Origin"
    assert client_of().simulate_get("/place").headers["Vary"] == "Accept"


def test_a_browser_may_ask_whether_it_may_send_the_token():
    answer = client_of(HOME).simulate_options(
        "/place",
        headers={
            "Origin": HOME,
            "Access-Control-Request-Method": "GET",
            "Access-Control-Request-Headers": "authorization,if-none-match",
        },
    )
    assert answer.status_code == 200
    assert answer.headers["Access-Control-Allow-Origin"] == HOME
    assert answer.headers["Access-Control-Allow-Methods"] == "GET, HEAD"
    assert answer.headers["Access-Control-Allow-Headers"] == "authorization,if-none-match"
    assert int(answer.headers["Access-Control-Max-Age"]) > 0
    assert "Access-Control-Allow-Credentials" not in answer.headers


@pytest.mark.parametrize(
    ("setting", "origins"),
    [
        (None, None),
        ("*", ["*"]),
        (HOME, [HOME]),
        ("HTTPS://Example.ORG", [HOME]),
        (f"{HOME}  {OTHER}", [HOME, OTHER]),
        ("http://[::1]:8080", ["http://[::1]:8080"]),
        ("http://localhost", ["http://localhost"]),
        ("http://localhost:8080", ["http://localhost:8080"]),
        ("https://example.org:80", ["https://example.org:80"]),
        ("chrome-extension://abcdefgh", ["chrome-extension://abcdefgh"]),
    ],
)
def test_origins_are_written_as_browsers_write_them(setting, origins):
    assert allowed_origins(Settings(api_cors=setting)) == origins


@pytest.mark.parametrize(
    "setting",
    [
        "example.org",
        "https://",
        "https://example.org/",
        "https://example.org/page",
        "https://*.example.org",
        "https://example.org:443",
        "http://example.org:80",
        "https://example.org:0",
        "https://user@example.org",
        "https://example..org",
        "https://exämple.org",
        "https://a.org,https://b.org",
        "null",
        f"* {HOME}",
        f"{HOME} *",
    ],
)
def test_what_no_browser_would_send_is_refused(setting):
    with pytest.raises(UsageError) as raised:
        header_middleware(Settings(api_cors=setting))
    message = str(raised.value)
    assert message.startswith("UTXORACLE_API_CORS must be * or origins")
    assert "\n" not in message
