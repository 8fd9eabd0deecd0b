import shutil
from dataclasses import dataclass, replace

import falcon
import pytest
from falcon.testing import TestClient

from tests.unit.store.samples import FIRST_TIME, block_row, facts, window_row
from utxoracle.api.answers import Answers
from utxoracle.api.at import At
from utxoracle.api.comparison import Comparison
from utxoracle.api.daily import Daily
from utxoracle.api.historical import Historical
from utxoracle.api.points import Points
from utxoracle.api.problems import add_problems
from utxoracle.bitcoin.network import REGTEST
from utxoracle.sources.exchange import ExchangePrice
from utxoracle.store.database import Database
from utxoracle.store.folder import DataFolder
from utxoracle.store.rows import Batch
from utxoracle.store.snapshot import publish

NOW = FIRST_TIME + 1000
STALL_MINUTES = 180.0


@dataclass
class Service:
    """The prices of a data folder over HTTP, at a moment that can be chosen."""

    folder: DataFolder
    now: float = NOW

    def __post_init__(self):
        answers = Answers(self.folder, private=False)
        app = falcon.App()
        app.req_options.keep_blank_qs_values = True
        add_problems(app)
        app.add_route("/historical", Historical(answers, self.clock))
        app.add_route("/comparison", Comparison(answers, self.clock))
        app.add_route("/daily", Daily(answers, self.clock))
        app.add_route("/at", At(answers, STALL_MINUTES))
        app.add_route("/points", Points(answers))
        self.client = TestClient(app)

    def clock(self):
        return self.now

    def store(self, windows=(), *, blocks=(), days=(), points=None):
        """Commit rows, and publish them."""
        with Database.open(self.folder, REGTEST) as database:
            database.commit(
                Batch(kept_height=None, blocks=blocks, windows=windows, days=days, points=points)
            )
        publish(self.folder)
        return self

    def get(self, path, **headers):
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.simulate_get(path, headers=named)

    def heights(self, query):
        """Heights of the entries of a series, in their order."""
        answer = self.get(f"/historical?{query}")
        assert answer.status_code == 200, answer.text
        return [entry["height"] for entry in answer.json]


@pytest.fixture
def service(folder):
    """A service that has nothing stored yet."""
    return Service(folder)


@pytest.fixture(scope="session")
def new_service(empty_store, tmp_path_factory):
    """Makes services that have nothing stored yet, for tests that only read to share."""

    def new():
        place = tmp_path_factory.mktemp("service") / "data"
        return Service(DataFolder(shutil.copytree(empty_store, place)))

    return new


def window(height, time, price=60_000.0, exchange=61_000.0, reason=None):
    """A window price at a moment; with a `reason`, it is not valid."""
    found = replace(facts(price), is_valid=reason is None, invalid_reason=reason)
    if price is None:
        found = replace(found, rough_price=None, deviation=None)
    other = ExchangePrice(exchange, None if exchange is None else time - 60, None)
    return replace(window_row(height), time=time, facts=found, exchange=other)


def block(height, time):
    return replace(block_row(height), time=time)
