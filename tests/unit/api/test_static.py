import gzip
import random
import re
from http.client import HTTPConnection
from threading import Thread
from wsgiref.simple_server import WSGIRequestHandler, make_server

import falcon
import pytest
from falcon.testing import TestClient

from utxoracle import __version__
from utxoracle.api.problems import add_problems
from utxoracle.api.static import WEB, Assets, Static, takes_gzip

SCRIPT = "export const price = 1;\n" * 100
# Hard to compress, and longer than a piece.
CHARTS = random.Random(1).randbytes(200_000).hex()
TAKES_GZIP = {"Accept-Encoding": "gzip, deflate, br"}


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "web"
    (folder / "vendor").mkdir(parents=True)
    (folder / "index.html").write_text("<p>$price</p>")
    (folder / "page.js").write_text(SCRIPT)
    (folder / "page.css").write_text("p { color: orange }")
    (folder / "favicon.svg").write_text("<svg/>")
    (folder / "notes.py").write_text("secret")
    (folder / "vendor" / "plotly.min.js.gz").write_bytes(gzip.compress(CHARTS.encode()))
    (folder / "vendor" / "plotly.LICENSE.txt").write_text("MIT")
    (tmp_path / "outside.js").write_text("secret")
    return folder


@pytest.fixture
def assets(folder):
    return Assets(folder)


def app_of(assets):
    app = falcon.App()
    add_problems(app)
    app.add_route("/static/{fingerprint}/{path:path}", Static(assets))
    return app


@pytest.fixture
def client(assets):
    return TestClient(app_of(assets))


@pytest.mark.parametrize(
    ("name", "media_type", "content"),
    [
        ("page.js", "text/javascript; charset=utf-8", SCRIPT),
        ("page.css", "text/css; charset=utf-8", "p { color: orange }"),
        ("favicon.svg", "image/svg+xml", "<svg/>"),
        ("vendor/plotly.min.js", "text/javascript; charset=utf-8", CHARTS),
        ("vendor/plotly.LICENSE.txt", "text/plain; charset=utf-8", "MIT"),
    ],
)
def test_files_come_as_they_are_or_compressed(client, assets, name, media_type, content):
    plain = client.simulate_get(f"{assets.prefix}/{name}")
    packed = client.simulate_get(f"{assets.prefix}/{name}", headers=TAKES_GZIP)
    for answer in (plain, packed):
        assert answer.status_code == 200
        assert answer.headers["Content-Type"] == media_type
        assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert answer.headers["Vary"] == "Accept-Encoding"
        assert int(answer.headers["Content-Length"]) == len(answer.content)
    assert plain.text == content
    assert "Content-Encoding" not in plain.headers
    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.content).decode() == content
    assert plain.headers["ETag"] != packed.headers["ETag"]


def test_what_the_client_has_is_not_sent_again(client, assets):
    path = f"{assets.prefix}/page.js"
    for headers in ({}, TAKES_GZIP):
        first = client.simulate_get(path, headers=headers)
        again = client.simulate_get(
            path, headers={**headers, "If-None-Match": first.headers["ETag"]}
        )
        assert (again.status_code, again.content) == (304, b"")
        for name in ("ETag", "Cache-Control", "Vary"):
            assert again.headers[name] == first.headers[name]
    other = client.simulate_get(path, headers={"If-None-Match": first.headers["ETag"]})
    assert other.status_code == 200


@pytest.mark.parametrize("headers", [{}, TAKES_GZIP])
def test_head_tells_the_length_alone(client, assets, headers):
    path = f"{assets.prefix}/vendor/plotly.min.js"
    answer = client.simulate_head(path, headers=headers)
    length = client.simulate_get(path, headers=headers).headers["Content-Length"]
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["Content-Length"] == length


@pytest.mark.parametrize(
    "name",
    [
        "index.html",
        "notes.py",
        "outside.js",
        "../outside.js",
        "%2e%2e/outside.js",
        "..%2foutside.js",
        "vendor/../../outside.js",
        "vendor/plotly.min.js.gz",
        "vendor",
        "",
        "/etc/passwd",
        "page.js%00",
        "page.js/page.js",
    ],
)
def test_nothing_else_is_there(client, assets, name):
    answer = client.simulate_get(f"{assets.prefix}/{name}")
    assert answer.status_code == 404
    assert answer.json["error"]["title"] == "Not Found"
    assert answer.headers["Cache-Control"] == "no-store"
    assert "ETag" not in answer.headers


def test_other_content_has_another_path_and_the_old_one_is_gone(folder, assets):
    assert re.fullmatch(rf"/static/{re.escape(__version__)}-[0-9a-f]{{16}}", assets.prefix)
    assert Assets(folder).prefix == assets.prefix
    # Of the same length, as a time or a size would not tell it.
    (folder / "page.js").write_text(SCRIPT.replace("1", "2"))
    newer = Assets(folder)
    assert newer.prefix != assets.prefix
    answer = TestClient(app_of(newer)).simulate_get(f"{assets.prefix}/page.js")
    assert answer.status_code == 404
    assert "load the page again" in answer.json["error"]["detail"]


def test_a_renamed_file_changes_the_path_too(folder, assets):
    (folder / "page.js").rename(folder / "other.js")
    assert Assets(folder).prefix != assets.prefix


def test_without_the_charts_everything_else_is_there(folder, assets):
    assert assets.has_charts
    (folder / "vendor" / "plotly.min.js.gz").unlink()
    fewer = Assets(folder)
    assert not fewer.has_charts
    client = TestClient(app_of(fewer))
    assert client.simulate_get(f"{fewer.prefix}/page.js").status_code == 200
    assert client.simulate_get(f"{fewer.prefix}/vendor/plotly.min.js").status_code == 404


@pytest.mark.parametrize(
    ("header", "takes"),
    [
        ("", False),
        ("gzip", True),
        ("GZIP", True),
        ("x-gzip", True),
        ("gzip, deflate, br, zstd", True),
        ("br;q=1.0, gzip;q=0.8, *;q=0.1", True),
        ("gzip;q=0", False),
        ("gzip; q=0.000", False),
        ("gzip;q=0.001", True),
        ("*", True),
        ("*;q=0", False),
        ("gzip;q=0, *", False),
        ("*;q=0, gzip", True),
        ("identity", False),
        ("gzipped", False),
        (",;q=,", False),
    ],
)
def test_who_takes_gzip(header, takes):
    assert takes_gzip(header) is takes


def test_a_client_on_a_socket_gets_a_long_file_whole_either_way(assets):
    class Quiet(WSGIRequestHandler):
        def log_message(self, *_):
            pass

    with make_server("127.0.0.1", 0, app_of(assets), handler_class=Quiet) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        try:
            for headers, unpack in (({}, bytes), (TAKES_GZIP, gzip.decompress)):
                connection = HTTPConnection(*server.server_address, timeout=10)
                connection.request("GET", f"{assets.prefix}/vendor/plotly.min.js", headers=headers)
                assert unpack(connection.getresponse().read()).decode() == CHARTS
                connection.close()
        finally:
            server.shutdown()


def test_every_file_of_the_page_is_served():
    assets = Assets()
    names = {path.relative_to(WEB).as_posix() for path in WEB.rglob("*") if path.is_file()}
    for name in names - {"index.html"}:
        assert assets.find(assets.fingerprint, name.removesuffix(".gz")), name
    assert {"page.js", "page.css", "favicon.svg"} <= names
