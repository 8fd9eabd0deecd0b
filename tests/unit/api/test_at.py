import pytest

from tests.unit.api.conftest import STALL_MINUTES, window
from tests.unit.store.samples import FIRST_TIME
from utxoracle.api.entry import window_entry

TIMES = {100: 1000, 101: 3000, 102: 2000, 103: 90_000, 105: 100_000}
"""Seconds by height: one block is stamped ahead of the next, and one height is missing."""

ROWS = {height: window(height, FIRST_TIME + time) for height, time in TIMES.items()}
LAST = FIRST_TIME + TIMES[105]
STALL = int(60 * STALL_MINUTES)


@pytest.fixture(scope="module")
def filled(new_service):
    return new_service().store([*ROWS.values()])


@pytest.mark.parametrize("height", TIMES)
def test_the_price_of_a_block_is_that_entry(filled, height):
    answer = filled.get(f"/at?height={height}")
    assert answer.json == window_entry(ROWS[height])


@pytest.mark.parametrize("height", [0, 99, 104, 106, 2**31 - 1])
def test_a_block_without_a_price_is_404(filled, height):
    answer = filled.get(f"/at?height={height}")
    assert answer.status_code == 404
    assert answer.json["error"]["detail"] == f"no price is stored for block {height}"
    assert "ETag" not in answer.headers


@pytest.mark.parametrize(
    ("time", "height"),
    [
        (1000, 100),
        (1999, 100),
        (2000, 102),
        (2999, 102),
        (3000, 102),
        (89_999, 102),
        (90_000, 103),
        (100_000, 105),
        (100_000 + STALL, 105),
    ],
)
def test_the_price_at_a_moment_is_of_the_newest_block_stamped_by_then(filled, time, height):
    assert filled.get(f"/at?time={FIRST_TIME + time}").json == window_entry(ROWS[height])


def test_a_moment_may_be_written_out(filled):
    for time in ("2025-11-22T00:17:00Z", "2025-11-22T01:17:00%2B01:00", "2025-11-22%2000:17"):
        assert filled.get(f"/at?time={time}").json["height"] == 100


@pytest.mark.parametrize("time", [0, FIRST_TIME + 999, LAST + STALL + 1, 2**32])
def test_before_the_first_price_and_long_after_the_newest_is_404(filled, time):
    answer = filled.get(f"/at?time={time}")
    assert answer.status_code == 404
    assert answer.json["error"]["detail"].startswith("no price is stored for ")
    assert answer.headers["Cache-Control"] == "no-store"


def test_with_nothing_stored_every_moment_and_block_is_404(service):
    for query in ("height=0", "time=0", f"time={FIRST_TIME}"):
        assert service.get(f"/at?{query}").status_code == 404


def test_who_has_the_answer_is_told_so(filled):
    seen = filled.get("/at?height=100").headers["ETag"]
    assert filled.get("/at?height=100", If_None_Match=seen).status_code == 304
    assert filled.get("/at?height=101").headers["ETag"] != seen
    assert filled.get("/at?time=100").headers.get("ETag") != seen


@pytest.mark.parametrize(
    "query",
    ["", "time=0&height=0", "time=", "height=", "height=-1", "height=2147483648", "height=1.5",
     "height=x'", "height=%D9%A3", "time=now", "time=2025-02-30", "height=1&height=2", "hash=00",
     "time=2025-01-01T00:00:00Z%00", "height=" + "1" * 3000],
)  # fmt: skip
def test_what_can_not_be_answered_is_400_and_says_why(filled, query):
    answer = filled.get(f"/at?{query}")
    assert answer.status_code == 400
    assert 0 < len(answer.json["error"]["detail"]) < 250
