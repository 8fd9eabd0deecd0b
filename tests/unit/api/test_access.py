import falcon
import pytest
from falcon.testing import TestClient

from tests.conftest import ordinary_user
from utxoracle.api.access import Access, read_token
from utxoracle.api.headers import header_middleware
from utxoracle.api.problems import add_problems
from utxoracle.errors import UsageError
from utxoracle.settings import HEALTH, PAGE, Settings

TOKEN = "0123456789abcdef-._~+/="
OPEN = frozenset({HEALTH, PAGE})
CLOSED = ["/api/prices/latest", "/metrics", "/openapi.json", "/nowhere", "/healthy", "/staticky"]
PLACES = ["/", "/health", "/static/1/page.js", *CLOSED]


class Place:
    def on_get(self, request, response, **_):
        response.media = "in"

    on_head = on_get


def client_of(token=TOKEN, open_parts=OPEN, cors=None):
    headers = header_middleware(Settings(api_cors=cors))
    app = falcon.App(middleware=[*headers, Access(token, open_parts)])
    app.req_options.strip_url_path_trailing_slash = True
    add_problems(app)
    for place in ("/", "/health", "/static/{mark}/{name:path}", *CLOSED):
        if place != "/nowhere":
            app.add_route(place, Place())
    return TestClient(app)


def status(client, place, authorization=None, method="GET"):
    headers = {} if authorization is None else {"Authorization": authorization}
    return client.simulate_request(method, place, headers=headers).status_code


@pytest.mark.parametrize("place", PLACES)
def test_without_a_token_set_everything_is_open(place):
    assert status(client_of(None), place) == (404 if place == "/nowhere" else 200)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "Bearer "])
def test_the_token_opens_everything(place, scheme):
    expected = 404 if place == "/nowhere" else 200
    assert status(client_of(), place, f"{scheme} {TOKEN}") == expected


@pytest.mark.parametrize("place", CLOSED)
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "DELETE", "PATCH"])
def test_all_but_the_open_parts_want_it_whether_there_or_not(place, method):
    assert status(client_of(), place, method=method) == 401


@pytest.mark.parametrize(
    ("open_parts", "free"),
    [
        (OPEN, {"/", "/health", "/static/1/page.js"}),
        ({HEALTH}, {"/health"}),
        ({PAGE}, {"/", "/static/1/page.js"}),
        ((), set()),
    ],
)
def test_the_owner_chooses_what_is_open(open_parts, free):
    client = client_of(open_parts=frozenset(open_parts))
    assert {place for place in PLACES if status(client, place) == 200} == free


@pytest.mark.parametrize(
    "authorization",
    [
        "Bearer",
        "Bearer ",
        f"Bearer {TOKEN}x",
        f"Bearer {TOKEN[:-1]}",
        f"Bearer {TOKEN.upper()}",
        f"Bearer {TOKEN} {TOKEN}",
        f"Basic {TOKEN}",
        f"{TOKEN}",
        f"Bearer{TOKEN}",
        "Bearer \xff\xe4\x80",
    ],
)
def test_another_token_opens_nothing(authorization):
    client = client_of()
    answer = client.simulate_get("/metrics", headers={"Authorization": authorization})
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="utxoracle", error="invalid_token"'


@pytest.mark.parametrize("place", ["/api/prices/latest", "/nowhere"])
def test_a_refusal_has_the_shape_and_the_headers_of_all_errors(place):
    answer = client_of(cors="*").simulate_get(place, headers={"Origin": "https://example.org"})
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="utxoracle"'
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    error = answer.json["error"]
    assert (error["status"], error["title"]) == (401, "Unauthorized")
    assert "Authorization: Bearer" in error["detail"]


def test_a_browser_may_ask_before_it_sends_the_token():
    answer = client_of(cors="https://example.org").simulate_options(
        "/api/prices/latest",
        headers={
            "Origin": "https://example.org",
            "Access-Control-Request-Method": "GET",
            "Access-Control-Request-Headers": "authorization",
        },
    )
    assert answer.status_code == 200
    assert answer.headers["Access-Control-Allow-Headers"] == "authorization"


def test_the_token_is_in_no_log_and_no_answer(caplog):
    caplog.set_level("DEBUG")
    answer = client_of().simulate_get("/metrics", headers={"Authorization": f"Bearer x{TOKEN}"})
    assert answer.status_code == 401
    assert TOKEN not in answer.text + caplog.text


@pytest.fixture
def file(open_folder):
    return open_folder / "token"


@pytest.mark.parametrize("text", ["{}", "{}\n", " {}\t\r\n", "{}\na second line\n"])
def test_the_token_is_the_first_line_of_its_file(file, text):
    file.write_text(text.format(TOKEN))
    assert read_token(Settings(api_token_file=file)) == TOKEN


@pytest.mark.parametrize("length", [16, 1024])
def test_a_token_may_be_of_16_to_1024_characters(file, length):
    file.write_text("t" * length)
    assert read_token(Settings(api_token_file=file)) == "t" * length


def test_without_a_file_no_token_is_wanted():
    assert read_token(Settings()) is None


@pytest.mark.parametrize(
    "content",
    [
        b"t" * 15,
        b"t" * 1025,
        b"t" * 4096,
        b"a token with spaces",
        b"a-token-with\ttabs",
        "ein-schlüssel-mit-umlaut".encode(),
        b"\xff\xfe" + TOKEN.encode("utf-16-le"),
        b"a-token-with-a-nul\0",
    ],
)
def test_a_file_without_a_good_token_is_one_line_that_shows_nothing_of_it(file, content):
    file.write_bytes(content)
    with pytest.raises(UsageError) as raised:
        read_token(Settings(api_token_file=file))
    message = str(raised.value)
    assert message.startswith(f"{file} (UTXORACLE_API_TOKEN_FILE) holds no token: ")
    assert "openssl rand -hex 32" in message
    assert "\n" not in message
    assert "token-with" not in message


def test_a_file_that_is_missing_a_folder_or_not_for_us_is_one_line(file):
    file.write_text(TOKEN)
    file.chmod(0)
    for path, why in (
        (file.with_name("other"), "No such file or directory"),
        (file.parent, "Is a directory"),
        (file, "Permission denied"),
    ):
        with ordinary_user(), pytest.raises(UsageError) as raised:
            read_token(Settings(api_token_file=path))
        message = str(raised.value)
        assert message.startswith(f"{path} (UTXORACLE_API_TOKEN_FILE) can't be read: {why}; ")
        assert "\n" not in message
