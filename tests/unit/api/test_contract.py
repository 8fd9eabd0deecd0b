"""openapi.json promises what is answered, and no more."""

import json
import re
from pathlib import Path

import falcon.inspect
import pytest
from falcon.testing import TestClient
from jsonschema import Draft202012Validator

import utxoracle
from tests.filled import EXAMPLE_HEIGHT, fill
from tests.openapi import METHODS, document, place_of
from utxoracle.api.app import create_app
from utxoracle.api.contract import DOCUMENT
from utxoracle.api.static import Assets
from utxoracle.settings import Settings
from utxoracle.store.folder import DataFolder

PATHS = document().paths
OPERATIONS = [(path, method) for path in PATHS for method in METHODS]
GUIDE = Path(__file__).parents[3] / "docs" / "api.md"

STATIC = "/static/{fingerprint}/{path}"
RANGES = ["/api/prices/historical", "/api/prices/comparison", "/api/prices/daily"]

ELSEWHERE = {"401", "405", "414", "431", "500"}
"""Answers where a token is set, to other methods, of the server, and of defects."""

QUERIES = {
    "/api/prices/historical": [
        "from=2026-01-31&to=2026-02-01",
        "from=2026-01-30&to=2026-02-01&interval=hour",
        "days=36500&interval=day",
        "days=1&interval=block&format=csv",
        "format=json",
        "from=2020-01-01&to=2020-01-02",
    ],
    "/api/prices/comparison": [
        "from=2026-01-31&to=2026-02-01",
        "from=2026-01-31",
        "from=2020-01-01&to=2020-01-02",
    ],
    "/api/prices/daily": ["from=2026-01-29&to=2026-02-01", "days=36500&format=csv"],
    "/api/prices/at": [
        *(f"height={height}" for height in range(EXAMPLE_HEIGHT - 7, EXAMPLE_HEIGHT)),
        "time=2026-01-31T12:04:41Z",
        "height=1",
        "time=1970-01-01",
        "",
        "time=0&height=0",
    ],
    "/api/v1/historical-price": [
        "timestamp=1769861100&currency=USD",
        "timestamp=0",
        "currency=EUR",
    ],
}
"""What is asked of a path beside nothing at all."""

ACCEPTED = {
    "/api/prices/historical": ["text/csv"],
    "/api/prices/daily": ["text/csv"],
    "/metrics": ["application/openmetrics-text; version=1.0.0"],
    "/": ["application/json"],
}


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """A data folder that holds prices of each kind."""
    path = tmp_path_factory.mktemp("filled") / "data"
    fill(DataFolder(path))
    return path


@pytest.fixture(scope="module")
def client(filled):
    return client_of(filled)


@pytest.fixture(scope="module")
def clients(client, empty_store, filled):
    """Of a data folder with prices, of one without, and of none at all."""
    return [client, client_of(empty_store), client_of(filled.with_name("missing"))]


@pytest.fixture(scope="module")
def locked_client(filled):
    token = filled.with_name("token")
    token.write_text("0123456789abcdef")
    return client_of(filled, api_token_file=token, api_open="none")


def client_of(path, **settings):
    return TestClient(create_app(Settings(data_dir=path, **settings)))


def requests(path):
    """Each query and each set of headers that a path is asked with."""
    values = {}
    if path == STATIC:
        values = {"fingerprint": Assets().fingerprint, "path": "page.css"}
    place = place_of(path, **values)
    for query in ["", *QUERIES.get(path, ())]:
        yield place, query, {}
    yield place, "nothing=1", {}
    for accepted in ACCEPTED.get(path, ()):
        yield place, "", {"Accept": accepted}
    if path == STATIC:
        yield place_of(path, fingerprint="old", path="page.css"), "", {}


def answers(client, path, method):
    """Check each answer against the document, and yield it; ask again for what has an ETag."""
    asked = [*requests(path)]
    for place, query, headers in asked:
        answer = client.simulate_request(method.upper(), place, query_string=query, headers=headers)
        lower = {name.lower(): value for name, value in answer.headers.items()}
        document().check(method.upper(), path, answer.status_code, lower, answer.content)
        if (etag := lower.get("etag")) and not headers:
            asked.append((place, query, {"If-None-Match": etag}))
        yield answer


def test_the_document_has_the_routes_that_there_are(client):
    routes = {}
    for route in falcon.inspect.inspect_app(client.app).routes:
        path = re.sub(r"\{(\w+):\w+\}", r"{\1}", route.path)
        routes[path] = {one.method for one in route.methods if not one.internal}
    documented = {
        path: {name.upper() for name in item if name != "parameters"}
        for path, item in PATHS.items()
    }
    assert documented == routes


@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_every_answer_is_as_promised_and_every_promise_is_kept(path, method, clients):
    seen = {
        (str(answer.status_code), answer.headers.get("Content-Type"))
        for client in clients
        for answer in answers(client, path, method)
    }
    statuses = {status for status, _ in seen}
    promised = PATHS[path][method]["responses"]
    assert statuses == {*promised} - ELSEWHERE
    kinds = {kind.partition(";")[0] for status, kind in seen if status == "200"}
    if path != STATIC:
        assert kinds == {*document().resolved(promised["200"])["content"]}


@pytest.mark.parametrize("path", PATHS)
def test_where_a_token_is_wanted_its_lack_is_answered_as_promised(path, locked_client):
    for method in METHODS:
        assert {answer.status_code for answer in answers(locked_client, path, method)} == {401}


@pytest.mark.parametrize("path", PATHS)
def test_another_method_is_answered_as_promised(path, client):
    place = place_of(path, fingerprint="a", path="b")
    answer = client.simulate_post(place)
    lower = {name.lower(): value for name, value in answer.headers.items()}
    assert answer.status_code == 405
    document().check("GET", path, 405, lower, answer.content)


@pytest.mark.parametrize("path", PATHS)
def test_the_parameters_are_those_that_are_taken(path, client):
    """What is refused says which parameters there are."""
    if "{" in path:
        return
    names = document().parameters(path)
    refusal = client.simulate_get(path, query_string="nothing=1")
    if "400" in PATHS[path]["get"]["responses"]:
        taken = refusal.json["error"]["detail"].partition("there are: ")[2]
        assert taken == (", ".join(names) or "none")
    else:
        assert refusal.status_code == 200


@pytest.mark.parametrize(
    ("path", "name"), [(path, name) for path in PATHS for name in document().parameters(path)]
)
def test_a_parameter_takes_what_the_document_says_and_nothing_else(path, name, client):
    parameter = document().parameters(path)[name]
    schema = parameter["schema"]
    good = [example["value"] for example in parameter["examples"].values()]
    good += [*schema.get("enum", ()), *([schema["default"]] if "default" in schema else ())]
    bad = []
    if path.startswith("/api/prices/"):
        bad = ["", "nothing"]
        bad += [
            schema[end] + step for end, step in (("minimum", -1), ("maximum", 1)) if end in schema
        ]
        if name == "days":
            good += [schema["minimum"], schema["maximum"]]
    for value in good:
        answer = client.simulate_get(path, params={name: value})
        assert answer.status_code == 200, (value, answer.text)
    for value in bad:
        answer = client.simulate_get(path, params={name: value})
        assert answer.status_code == 400, value
        if "enum" in schema:
            # The refusal names what would do: what the document leaves out shows here.
            choices = ", ".join(schema["enum"])
            assert f" one of {choices}, not " in answer.json["error"]["detail"]


@pytest.mark.parametrize("path", RANGES)
def test_the_default_is_the_one_that_is_taken(path, client):
    default = document().parameters(path)["days"]["schema"]["default"]
    named = client.simulate_get(path, params={"days": default})
    assert client.simulate_get(path).content == named.content


@pytest.mark.parametrize("path", ["/api/prices/historical", "/api/prices/daily"])
def test_csv_has_the_columns_that_json_has(path, client):
    item = document().resolved(PATHS[path]["get"]["responses"]["200"])
    schema = document().resolved(item["content"]["application/json"]["schema"]["items"])
    header = client.simulate_get(path, params={"format": "csv"}).text.partition("\r\n")[0]
    assert header.split(",") == schema["required"] == [*schema["properties"]]
    example = next(iter(item["content"]["text/csv"]["examples"].values()))["value"]
    assert example.partition("\r\n")[0] == header


def test_every_example_is_of_its_schema():
    examples = [*document().examples()]
    assert len(examples) > 30
    for place, schema, value in examples:
        assert document().faults(schema, value) == [], place


def test_every_schema_is_sound_and_says_what_it_is_for():
    for name, schema in document().content["components"]["schemas"].items():
        Draft202012Validator.check_schema(schema)
        if schema["type"] == "object" and name != "Document":
            # A key that is added, or left out, would not be noticed otherwise.
            assert schema["additionalProperties"] is False, name
            assert schema["required"] == [*schema["properties"]], name


def test_nothing_in_the_document_is_without_use():
    text = DOCUMENT.read_text()
    for kind, parts in document().content["components"].items():
        for name in parts:
            used = f'"#/components/{kind}/{name}"' in text
            assert used or kind == "securitySchemes", f"{kind}/{name}"


def test_the_document_is_served_with_the_version_of_the_program(client):
    answer = client.simulate_get("/openapi.json")
    expected = json.loads(DOCUMENT.read_bytes())
    expected["info"]["version"] = utxoracle.__version__
    assert answer.json == expected
    headers = {"If-None-Match": answer.headers["ETag"]}
    assert client.simulate_get("/openapi.json", headers=headers).status_code == 304


def test_a_client_that_is_made_of_the_document_finds_each_operation_by_a_name_of_its_own():
    names = [PATHS[path][method]["operationId"] for path, method in OPERATIONS]
    assert len({*names}) == len(names)
    tags = {tag["name"] for tag in document().content["tags"]}
    for path, method in OPERATIONS:
        operation = PATHS[path][method]
        assert operation["summary"]
        assert {*operation["tags"]} <= tags


def chapters():
    """The part of the guide that is about a path, by paths."""
    found = re.split(r"^### `GET (\S+)`$", GUIDE.read_text(), flags=re.MULTILINE)
    return {
        path: text.partition("\n## ")[0]
        for path, text in zip(found[1::2], found[2::2], strict=True)
    }


def test_the_guide_has_a_chapter_on_every_path_and_a_row_for_every_parameter():
    assert {*chapters()} == {path for path in PATHS if "{" not in path}
    assert all(f"`{path}`" in GUIDE.read_text() for path in PATHS)
    for path, chapter in chapters().items():
        rows = re.findall(r"^\| ((?:`\w+`(?:, )?)+) \|", chapter.partition("```")[0], re.MULTILINE)
        named = [name for row in rows for name in re.findall(r"`(\w+)`", row)]
        assert named == [*document().parameters(path)], path


@pytest.mark.parametrize("path", chapters())
def test_the_answers_that_the_guide_shows_are_of_their_schemas(path):
    shown = re.findall(r"^```json\n(.*?)^```", chapters()[path], re.MULTILINE | re.DOTALL)
    content = document().resolved(PATHS[path]["get"]["responses"]["200"])["content"]
    for text in shown:
        schema = content["application/json"]["schema"]
        assert document().faults(schema, json.loads(text)) == []


def test_what_the_guide_asks_is_answered(client):
    asked = re.findall(
        r"^curl .*?http://127\.0\.0\.1:8000([^\s'?]+)\??([^\s']*)", GUIDE.read_text(), re.MULTILINE
    )
    assert len(asked) >= len(chapters())
    for path, query in asked:
        answer = client.simulate_get(path, query_string=query)
        assert answer.status_code == 200, (path, query, answer.text)


def test_the_guide_names_every_metric(client):
    metrics = re.findall(r"^# HELP (\w+)", client.simulate_get("/metrics").text, re.MULTILINE)
    assert len(metrics) > 20
    assert {*metrics} == {*re.findall(r"`(utxoracle_\w+)[`{]", chapters()["/metrics"])}


def test_the_guide_names_every_status():
    named = {number for path, method in OPERATIONS for number in PATHS[path][method]["responses"]}
    for number in named - {"200"}:
        assert number in GUIDE.read_text(), number
