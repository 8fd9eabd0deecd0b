"""Whatever is sent to the real server: an answer in the one shape, and nothing written."""

import http.client
import io
import re
import socket
from hashlib import sha256

import pytest

from tests.filled import fill
from tests.openapi import document
from tests.unit.api.serving import SECONDS, served
from utxoracle.store.folder import DataFolder

PATHS = [path for path in document().paths if "{" not in path]
STRICT = [path for path in PATHS if path.startswith("/api/prices/")]

BAD_VALUES = {
    "empty": "",
    "a blank": "%20",
    "negative": "-1",
    "signed": "%2B7",
    "a fraction": "7.5",
    "an exponent": "1e3",
    "hexadecimal": "0x10",
    "no number": "NaN",
    "infinite": "Infinity",
    "true": "true",
    "null": "null",
    "a list": "1,2",
    "JSON": "%7B%22a%22:1%7D",
    "far too large": "9" * 400,
    "after all time": "4294967297",
    "SQL that ends a statement": "1;DROP%20TABLE%20window_prices;--",
    "SQL that is always true": "'%20OR%20'1'='1",
    "SQL of DuckDB": "1)%20UNION%20SELECT%20*%20FROM%20read_csv('/etc/passwd')--",
    "a path": "../../../../etc/passwd",
    "an escaped path": "..%2F..%2Fetc%2Fpasswd",
    "a header": "7%0D%0ASet-Cookie:%20injected=1",
    "a line": "7%0Ainjected:%201",
    "a NUL": "7%00",
    "a NUL alone": "%00",
    "a surrogate": "%ED%A0%80",
    "an overlong slash": "%C0%AF",
    "no UTF-8": "%FF%FE",
    "half an escape": "%4",
    "no escape": "%zz",
    "Arabic digits": "%D9%A7",
    "wide digits": "%EF%BC%97",
    "an emoji": "%F0%9F%92%A5",
    "right to left": "%E2%80%AE7",
    "a template": "%7B%7B7*7%7D%7D",
    "a script": "%3Cscript%3Ealert(1)%3C/script%3E",
    "a shell command": "$(touch%20/tmp/injected)",
    "a format": "%25s%25n",
}

BAD_PATHS = [
    "/nowhere",
    "/api",
    "/api/prices",
    "/api/prices/LATEST",
    "/api/prices/latest/more",
    "/api/prices/latest;a=1",
    "/api/prices/latest%00",
    "/api/prices/latest%0d%0aSet-Cookie:%20injected=1",
    "/api/prices/..%2f..%2fetc%2fpasswd",
    "/../../etc/passwd",
    "/%2e%2e/%2e%2e/etc/passwd",
    "/static",
    "/static/a",
    "/static/../../../etc/passwd",
    "/static/a/..%2f..%2f..%2fetc%2fpasswd",
    "/static/a/%2e%2e/utxoracle_snapshot.db",
    "/utxoracle_snapshot.db",
    "/%ED%A0%80",
    "/%C0%AF",
    "/%FF",
    "/\xff",
    "//elsewhere.example/",
    "/api/v1/prices/usd",
    "/.env",
]

METHODS = ["POST", "PUT", "DELETE", "PATCH", "TRACE", "CONNECT", "PROPFIND"]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = DataFolder(tmp_path_factory.mktemp("bad_input") / "data")
    fill(folder)
    before = contents(folder)
    with served(folder) as server:
        yield server
        assert "Traceback" not in server.stderr()
        # As a status: a process may have that in its number, an answer in its length.
        assert not re.search(r" 500 \d+ bytes", server.stderr())
    assert contents(folder) == before


def contents(folder):
    return {
        path.relative_to(folder.path): sha256(path.read_bytes()).hexdigest()
        for path in folder.path.rglob("*")
        if path.is_file()
    }


class Answered(io.BytesIO):
    """What came back, for http.client to read."""

    def makefile(self, mode):
        return self


def send(server, sent, method="GET"):
    """Send bytes as they are, and return status, headers and body of the answer."""
    with socket.create_connection(server.address, timeout=SECONDS) as client:
        client.sendall(sent)
        received = bytearray()
        while piece := client.recv(1 << 16):
            received += piece
    answer = http.client.HTTPResponse(Answered(received), method=method)
    answer.begin()
    return answer.status, answer.headers, answer.read()


def ask(server, target, *lines, method="GET", body=b""):
    """Send a request for a target that is not touched by any library."""
    head = "\r\n".join(
        [f"{method} {target} HTTP/1.1", "Host: localhost", "Connection: close", *lines, "", ""]
    )
    return send(server, head.encode("latin-1") + body, method)


def refused(answer):
    """Check that an answer is a refusal of the one shape, and return its status."""
    status, headers, body = answer
    assert 400 <= status < 500, (status, body[:300])
    document().check_problem(status, body)
    assert headers["Content-Type"] == "application/json"
    assert headers["Cache-Control"] == "no-store"
    assert "Set-Cookie" not in headers
    assert "injected" not in headers
    return status


@pytest.mark.parametrize("path", [path for path in STRICT if document().parameters(path)])
def test_a_value_that_is_none_is_refused(server, path):
    for name in document().parameters(path):
        for value in BAD_VALUES.values():
            assert refused(ask(server, f"{path}?{name}={value}")) == 400, value
        assert refused(ask(server, f"{path}?{name}")) == 400
        assert refused(ask(server, f"{path}?{name}=1&{name}=2")) == 400
        assert refused(ask(server, f"{path}?{name}[]=1")) == 400
        assert refused(ask(server, f"{path}?{name.upper()}=1")) == 400


@pytest.mark.parametrize("path", STRICT)
def test_a_parameter_that_is_none_is_refused(server, path):
    for name in BAD_VALUES.values():
        if name:
            assert refused(ask(server, f"{path}?{name}=1")) == 400, name


@pytest.mark.parametrize("value", BAD_VALUES.values(), ids=BAD_VALUES)
def test_what_wallets_ask_in_the_way_of_mempool_is_answered_or_refused(server, value):
    """Where unknown parameters are overlooked: what can't be read is refused all the same."""
    for target in (f"timestamp={value}", f"currency={value}", f"{value}=1"):
        answer = ask(server, f"/api/v1/historical-price?{target}")
        if answer[0] != 200:
            refused(answer)


@pytest.mark.parametrize("path", BAD_PATHS)
def test_a_place_that_is_not_there_is_not_found(server, path):
    assert refused(ask(server, path)) in (400, 404)


@pytest.mark.parametrize("path", PATHS)
def test_no_other_method_is_taken(server, path):
    for method in METHODS:
        status, headers, body = ask(server, path, method=method)
        assert refused((status, headers, body)) == 405, method
        assert headers["Allow"] == "GET, HEAD, OPTIONS"
    for method in ("BREW", "get", "GET/1", "G" * 100):
        assert refused(ask(server, path, method=method)) in (400, 405), method


def test_a_body_is_never_taken(server):
    body = b"a" * 1_000_000
    length = f"Content-Length: {len(body)}"
    status, headers, answer = ask(server, "/api/prices/latest", length, method="POST", body=body)
    assert refused((status, headers, answer)) == 405
    assert ask(server, "/api/prices/latest", "Content-Length: 3", body=b"abc")[0] == 200
    assert ask(server, "/health", length, body=body)[0] == 200


@pytest.mark.parametrize(
    ("status", "target", "lines"),
    [
        (414, "/api/prices/latest?" + "a" * 10_000, []),
        (414, "/" + "a" * 10_000, []),
        (431, "/health", ["X-Long: " + "a" * 10_000]),
        (431, "/health", [f"X-{number}: 1" for number in range(300)]),
        (400, "/health", ["No colon"]),
        (400, "/health", ["Bad\x00Name: 1"]),
        (400, "/health", ["Content-Length: many"]),
        (400, "/health", ["Content-Length: 1", "Content-Length: 2"]),
        (400, "/health", ["Content-Length: 1", "Transfer-Encoding: chunked"]),
    ],
)  # fmt: skip
def test_what_is_no_sound_request_is_refused(server, status, target, lines):
    assert refused(ask(server, target, *lines)) == status


@pytest.mark.parametrize(
    "sent",
    [b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", b"GET\r\n\r\n", b"\x00\r\n\r\n",
     b"GET / HTTP/9.9\r\n\r\n", b"GET  / HTTP/1.1\r\n\r\n", "GÉT / HTTP/1.1\r\n\r\n".encode()],
)  # fmt: skip
def test_what_is_no_request_at_all_is_refused(server, sent):
    assert refused(send(server, sent)) == 400


@pytest.mark.parametrize(
    "line",
    ["If-None-Match: nothing of the kind", 'If-None-Match: "', "If-None-Match: W/",
     "If-None-Match:", "If-None-Match: ,,,", "Accept: nothing", "Accept: */", "Accept: ;q=x",
     "Accept: \xff/\xff", "Accept-Encoding: \xff", "Authorization: \xff",
     "Authorization: Bearer", "Range: bytes=0-1", "X-Forwarded-For: ' OR 1=1", "Cookie: a=b"],
)  # fmt: skip
def test_a_header_that_makes_no_sense_is_overlooked(server, line):
    for path in ("/api/prices/latest", "/api/prices/daily", "/health", "/metrics", "/"):
        status, _, body = ask(server, path, line)
        assert status == 200, (path, body[:300])
