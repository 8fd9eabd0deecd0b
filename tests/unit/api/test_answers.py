import re
from collections import Counter
from pathlib import Path
from threading import Thread

import falcon
import pytest
from falcon.testing import TestClient

from tests.unit.store.samples import batch
from utxoracle.api.answers import Answers, _Cache
from utxoracle.api.problems import NoData, add_problems
from utxoracle.bitcoin.network import REGTEST
from utxoracle.errors import StorageError
from utxoracle.store.database import Database
from utxoracle.store.snapshot import publish


def commit(folder, height):
    with Database.open(folder, REGTEST) as database:
        database.commit(batch(height, height))
    publish(folder)


class Revision:
    """Answers with the revision, at once or piece by piece, and counts how often it is made."""

    def __init__(self, answers, made):
        self.answers, self.made = answers, made

    def on_get(self, request, response, way):
        give = self.answers.give if way == "whole" else self.answers.stream
        make = self.whole if way == "whole" else self.pieces
        response.content_type = "text/plain"
        give(request, response, (way, request.query_string), make)

    on_head = on_get

    def whole(self, reader):
        self.made["whole"] += 1
        return str(reader.revision).encode()

    def pieces(self, reader):
        for _ in range(3):
            self.made["piece"] += 1
            yield f"{reader.revision} ".encode()


class Service:
    def __init__(self, folder, *, private=False):
        self.made = Counter()
        self.answers = Answers(folder, private=private)
        app = falcon.App()
        add_problems(app)
        app.add_route("/{way}", Revision(self.answers, self.made))
        self.client = TestClient(app)

    def get(self, path, **headers):
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.simulate_get(path, headers=named)


@pytest.fixture
def service(folder):
    return Service(folder)


def test_an_answer_is_made_once_for_a_snapshot_and_a_query(service, folder):
    assert [service.get("/whole").text for _ in range(3)] == ["0"] * 3
    assert service.made["whole"] == 1
    service.get("/whole?other")
    assert service.made["whole"] == 2
    commit(folder, 1)
    assert [service.get("/whole").text for _ in range(3)] == ["1"] * 3
    assert service.made["whole"] == 3


@pytest.mark.parametrize("way", ["/whole", "/pieces"])
def test_who_has_the_answer_is_told_so_without_asking_the_snapshot(service, folder, way):
    etag = service.get(way).headers["ETag"]
    made = Counter(service.made)
    for known in (etag, f'"other", {etag}', f"W/{etag}"):
        again = service.get(way, If_None_Match=known)
        assert (again.status_code, again.text, again.headers["ETag"]) == (304, "", etag)
        assert "Content-Type" not in again.headers
    assert service.made == made
    assert service.get(f"{way}?other", If_None_Match=etag).status_code == 200
    commit(folder, 1)
    newer = service.get(way, If_None_Match=etag)
    assert newer.status_code == 200
    assert newer.headers["ETag"] != etag


def test_equal_snapshots_and_queries_have_equal_etags_in_every_worker(service, folder):
    assert service.get("/whole").headers["ETag"] == Service(folder).get("/whole").headers["ETag"]
    assert re.fullmatch('"[0-9a-f]{24}"', service.get("/whole").headers["ETag"])


@pytest.mark.parametrize(("private", "who"), [(False, "public"), (True, "private")])
def test_answers_are_fresh_for_a_minute_and_never_shared_where_a_token_is_wanted(
    folder, private, who
):
    answer = Service(folder, private=private).get("/whole")
    assert answer.headers["Cache-Control"] == f"{who}, max-age=60, must-revalidate"


@pytest.mark.parametrize("way", ["/whole", "/pieces"])
def test_head_gives_the_same_headers_and_no_body(service, way):
    head = service.client.simulate_head(way)
    assert (head.status_code, head.text) == (200, "")
    assert head.headers["ETag"] == service.get(way).headers["ETag"]


def test_a_long_answer_is_of_one_snapshot_whatever_is_published_meanwhile(service, folder):
    app, environ = service.client.app, falcon.testing.create_environ("/pieces")
    pieces = app(environ, lambda status, headers: None)
    first = next(iter(pieces))
    commit(folder, 1)
    assert b"".join([first, *pieces]) == b"0 0 0 "
    pieces.close()
    assert service.get("/pieces").text == "1 1 1 "


def test_only_two_long_answers_are_under_way_at_once(service, monkeypatch):
    monkeypatch.setattr("utxoracle.api.answers._PATIENCE", 0.1)
    environ = falcon.testing.create_environ("/pieces")
    under_way = [service.client.app(dict(environ), lambda status, headers: None) for _ in range(2)]
    busy = service.get("/pieces")
    assert busy.status_code == 503
    assert busy.headers["Retry-After"] == "10"
    assert "shorter range" in busy.json["error"]["detail"]
    etag = service.get("/whole").headers["ETag"]
    known = service.client.simulate_head("/pieces").headers["ETag"]
    assert known != etag
    assert service.get("/pieces", If_None_Match=known).status_code == 304
    under_way[0].close()
    under_way[0].close()
    assert service.get("/pieces").text == "0 0 0 "
    under_way[1].close()
    for _ in range(3):
        assert service.client.simulate_head("/pieces").status_code == 200
    assert [service.get("/pieces").status_code for _ in range(3)] == [200] * 3


def test_without_a_snapshot_it_is_said_when_to_ask_again(service, folder):
    folder.snapshot.unlink()
    for way in ("/whole", "/pieces", "/pieces", "/pieces"):
        answer = service.get(way)
        assert answer.status_code == 503
        assert answer.headers["Retry-After"] == "60"
        assert answer.headers["Cache-Control"] == "no-store"
        assert "ETag" not in answer.headers
        assert "run utxoracle analyze" in answer.json["error"]["detail"]
    publish(folder)
    assert service.get("/whole").text == "0"


def test_a_damaged_snapshot_leaves_the_one_before_in_use(service, folder, tmp_path):
    etag = service.get("/whole").headers["ETag"]
    (tmp_path / "junk").write_bytes(b"junk")
    (tmp_path / "junk").replace(folder.snapshot)
    assert service.get("/whole?new").text == "0"
    assert service.get("/whole").headers["ETag"] == etag
    assert "can't be used" in service.answers.trouble
    assert service.get("/pieces").text == "0 0 0 "
    commit(folder, 1)
    assert service.get("/whole").text == "1"
    assert service.answers.trouble is None


def test_what_is_not_stored_has_no_etag(service):
    class Resource:
        def on_get(self, request, response):
            service.answers.give(request, response, ("nothing",), self.nothing)

        def nothing(self, reader):
            raise NoData("nothing yet")

    service.client.app.add_route("/its/nothing", Resource())
    for _ in range(2):
        answer = service.get("/its/nothing")
        assert answer.status_code == 404
        assert "ETag" not in answer.headers


def test_threads_that_ask_while_snapshots_are_published_get_whole_answers(service, folder):
    seen = []

    def ask():
        for number in range(40):
            way = "/whole" if number % 4 else "/pieces"
            answer = service.get(f"{way}?{number % 3}")
            seen.append(answer.status_code if answer.status_code != 200 else answer.text)

    threads = [Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    for height in range(1, 6):
        commit(folder, height)
    for thread in threads:
        thread.join()
    assert len(seen) == 80
    assert set(seen) <= {*map(str, range(6)), *(f"{one} " * 3 for one in range(6))}


def test_what_was_not_asked_for_longest_leaves_the_cache():
    cache, found = _Cache(10_000), []

    def get(name, size=3000, mark="mark"):
        cache.get(mark, (name,), lambda: found.append(name) or b"1" * size)

    def used(*names, **others):
        found.clear()
        for name in names:
            get(name, **others)
        return found

    assert used("a", "b", "a", "b") == ["a", "b"]
    assert used("a", "c", "a", "c") == ["c"]
    assert used("a", "c") == []
    assert used("b") == ["b"]
    assert used("huge", size=10_000) == ["huge"]
    assert used("huge", size=10_000) == ["huge"]
    assert used("a", "a") == ["a"]
    assert used("a", "a", mark="newer") == ["a"]
    assert used("a") == ["a"]
    for number in range(9):
        get("b", mark=str(number))
        get("c", mark=str(number))
    assert used("b", "c", mark="8") == []


def test_many_short_answers_do_not_fill_the_memory():
    cache = _Cache(100_000)
    for number in range(1000):
        cache.get("mark", (number,), lambda: b"1")
    assert len(cache._found) < 100


def test_a_fact_is_asked_once_for_a_snapshot(service, folder):
    asked = []

    def ask(reader):
        asked.append(reader.revision)
        return asked[-1]

    assert [service.answers.fact(("fact",), ask) for _ in range(2)] == [0, 0]
    commit(folder, 1)
    assert [service.answers.fact(("fact",), ask) for _ in range(2)] == [1, 1]
    assert asked == [0, 1]


def test_a_long_answer_that_breaks_off_is_no_whole_one_and_lets_the_next_begin(service, caplog):
    def broken(reader):
        yield b"1"
        raise StorageError("the disk fails")

    class Resource:
        def on_get(self, request, response):
            service.answers.stream(request, response, ("broken",), broken)

    service.client.app.add_route("/its/broken", Resource())
    for _ in range(3):
        pieces = service.client.app(
            falcon.testing.create_environ("/its/broken"), lambda status, headers: None
        )
        with pytest.raises(BrokenPipeError):
            list(pieces)
        pieces.close()
        assert caplog.messages[-1] == "a long answer was broken off: the disk fails"
    assert service.get("/pieces").status_code == 200


def test_long_answers_give_up_what_they_hold(service, folder):
    def open_files():
        names = [str(path.readlink()) for path in Path("/proc/self/fd").iterdir() if path.exists()]
        return sum(str(folder.snapshot) in name for name in names)

    environ = falcon.testing.create_environ("/pieces")
    service.get("/whole")
    of_one = open_files()
    for height in range(1, 4):
        under_way = service.client.app(dict(environ), lambda status, headers: None)
        next(iter(under_way))
        commit(folder, height)
        assert service.get("/whole").text == str(height)
        assert open_files() == of_one + 1
        under_way.close()
        assert open_files() == of_one


def test_the_log_tells_once_when_a_snapshot_goes_and_when_it_is_back(service, folder, caplog):
    caplog.set_level("INFO", "utxoracle")
    service.get("/whole")
    folder.snapshot.unlink()
    for _ in range(3):
        service.get("/whole")
    publish(folder)
    for _ in range(3):
        service.get("/whole")
    gone, back = caplog.messages
    assert "is not there" in gone
    assert back == f"{folder.snapshot} is read again"


def test_another_version_of_the_program_has_other_etags(service, monkeypatch):
    etag = service.get("/whole").headers["ETag"]
    monkeypatch.setattr("utxoracle.api.answers.__version__", "9.9")
    assert service.get("/whole").headers["ETag"] != etag
