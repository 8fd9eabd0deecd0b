import json

import falcon
import pytest
from falcon.testing import TestClient

from utxoracle.api.problems import NoData, add_problems, problem
from utxoracle.errors import StorageError


class Failing:
    def __init__(self, error):
        self.error = error

    def on_get(self, request, response):
        raise self.error

    on_head = on_get


def answer_to(error):
    app = falcon.App()
    add_problems(app)
    app.add_route("/failing", Failing(error))
    return TestClient(app).simulate_get("/failing?secret=1")


@pytest.mark.parametrize(
    ("error", "status", "title", "detail"),
    [
        (NoData("nothing yet"), 404, "Not Found", "nothing yet"),
        (StorageError("no snapshot"), 503, "Service Unavailable", "no snapshot"),
        (falcon.HTTPBadRequest(description="bad"), 400, "Bad Request", "bad"),
        (falcon.HTTPUnsupportedMediaType(), 415, "Unsupported Media Type", None),
        (KeyError("secret"), 500, "Internal Server Error", "this is a defect of the program"),
    ],
)
def test_every_failure_has_one_shape(error, status, title, detail):
    answer = answer_to(error)
    assert answer.status_code == status
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Cache-Control"] == "no-store"
    told = answer.json["error"]
    assert list(told) == ["status", "title", "detail"]
    assert (told["status"], told["title"]) == (status, title)
    assert told["detail"]
    assert told["detail"].startswith(detail or "")


def test_a_defect_is_in_the_log_and_not_in_the_answer(caplog):
    answer = answer_to(KeyError("secret"))
    assert "secret" not in answer.text
    (record,) = caplog.records
    assert record.getMessage() == "GET /failing failed"
    assert isinstance(record.exc_info[1], KeyError)


def test_a_place_that_is_not_there_says_where_all_are_listed():
    app = falcon.App()
    add_problems(app)
    answer = TestClient(app).simulate_get("/nowhere")
    assert answer.status_code == 404
    assert "/openapi.json" in answer.json["error"]["detail"]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_nothing_can_be_changed(method):
    app = falcon.App()
    add_problems(app)
    app.add_route("/failing", Failing(NoData()))
    answer = TestClient(app).simulate_request(method, "/failing")
    assert answer.status_code == 405
    assert answer.headers["Allow"] == "GET, HEAD, OPTIONS"
    assert answer.json["error"]["title"] == "Method Not Allowed"


def test_a_problem_is_json():
    assert json.loads(problem(404, 'not "there"'))["error"]["detail"] == 'not "there"'
