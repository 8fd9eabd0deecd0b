"""The WSGI application: which place is answered by what."""

from typing import Any

from falcon import App, Request, Response

from utxoracle.api.access import Access, read_token
from utxoracle.api.answers import Answers
from utxoracle.api.at import At
from utxoracle.api.comparison import Comparison
from utxoracle.api.contract import Contract
from utxoracle.api.daily import Daily
from utxoracle.api.headers import header_middleware
from utxoracle.api.health import Health, Watch
from utxoracle.api.historical import Historical
from utxoracle.api.latest import Latest
from utxoracle.api.mempool_history import MempoolHistory
from utxoracle.api.mempool_prices import MempoolPrices
from utxoracle.api.metrics import Metrics
from utxoracle.api.page import Page
from utxoracle.api.points import Points
from utxoracle.api.problems import add_problems
from utxoracle.api.static import STATIC, Assets, Static
from utxoracle.settings import Settings
from utxoracle.store.folder import DataFolder


def create_app(settings: Settings | None = None) -> App[Request, Response]:
    """Return the application, which opens no snapshot before the first request.

    Raises:
        UsageError: A setting can't be used.
    """
    settings = settings or Settings.from_environment()
    folder = DataFolder(settings.data_folder())
    token = read_token(settings)
    access = Access(token, settings.api_open_parts)
    answers = Answers(folder, private=token is not None)
    assets = Assets()
    watch = Watch(answers, folder, settings)
    places: dict[str, Any] = {
        "/api/prices/latest": Latest(answers),
        "/api/prices/historical": Historical(answers),
        "/api/prices/comparison": Comparison(answers),
        "/api/prices/daily": Daily(answers),
        "/api/prices/at": At(answers, settings.stall_minutes),
        "/api/prices/points": Points(answers),
        "/api/v1/prices": MempoolPrices(answers),
        "/api/v1/historical-price": MempoolHistory(answers),
        "/health": Health(watch),
        "/metrics": Metrics(watch),
        "/openapi.json": Contract(),
    }
    places["/"] = Page(answers, assets, access, settings, [*places])
    places[f"{STATIC}/{{fingerprint}}/{{path:path}}"] = Static(assets)

    app = App(middleware=[*header_middleware(settings), access])
    # `days=` is a mistake to be told, not a parameter that isn't there.
    app.req_options.keep_blank_qs_values = True
    app.req_options.strip_url_path_trailing_slash = True
    add_problems(app)
    for place, resource in places.items():
        app.add_route(place, resource)
    return app
