from tests.unit.api.conftest import block, window
from tests.unit.store.samples import FIRST_TIME, points
from utxoracle.jobs.price import WINDOW_LABEL
from utxoracle.sources.days import rfc3339


def store(service, top, count=500, **changes):
    """Store what a run does at a new top; only the newest 100 of the blocks below are there."""
    service.store(
        [window(top, FIRST_TIME + 600 * top, **changes)],
        blocks=[block(height, FIRST_TIME + 600 * height) for height in range(top - 100, top + 1)],
        points=points(top, count),
    )


def test_the_points_of_the_newest_window_are_given_to_the_last_bit(service):
    store(service, 1000, count=5000)
    found = service.get("/points").json
    expected = points(1000, 5000)
    assert found == {
        "height": 1000,
        "timestamp": rfc3339(FIRST_TIME + 600_000),
        "utxoracle_price": 60_000.0,
        "label": WINDOW_LABEL,
        "blocks": [
            {"height": height, "timestamp": rfc3339(FIRST_TIME + 600 * height)}
            for height in range(900, 1000)
        ],
        "heights": expected.heights.tolist(),
        "prices": expected.prices.tolist(),
    }


def test_a_price_that_is_not_valid_has_points_as_well(service):
    store(service, 1000, reason="it jumps")
    found = service.get("/points").json
    assert (found["utxoracle_price"], len(found["prices"])) == (60_000.0, 500)


def test_without_points_it_is_404(service):
    answer = service.get("/points")
    assert answer.status_code == 404
    assert answer.json["error"]["detail"].startswith("there are no price points yet")
    assert service.get("/points?days=1").status_code == 400


def test_points_are_known_by_their_snapshot(service):
    store(service, 1000)
    seen = service.get("/points").headers["ETag"]
    assert service.get("/points", If_None_Match=seen).status_code == 304
    store(service, 1200)
    newer = service.get("/points", If_None_Match=seen)
    assert (newer.status_code, newer.json["height"]) == (200, 1200)
