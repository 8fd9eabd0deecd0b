"""`/metrics`: the newest prices and how things are, as Prometheus and OpenMetrics read it."""

from collections.abc import Iterable, Iterator

from falcon import Request, Response
from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector, CollectorRegistry

from utxoracle import __version__
from utxoracle.api.entry import difference
from utxoracle.api.health import Watch
from utxoracle.jobs.health import HealthStatus
from utxoracle.jobs.report import STALLED
from utxoracle.sources.days import noon
from utxoracle.sources.preference import State
from utxoracle.store.last_run import LastRun, SourceRows
from utxoracle.store.rows import BlockRow, DayRow, WindowRow

_CHAIN_STATES = (*(one for one in State if one is not State.UNASKED), STALLED)


class Metrics:
    """What a scrape takes; a value that isn't known is left out, and never 0."""

    def __init__(self, watch: Watch) -> None:
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(_Prices(watch))

    def on_get(self, request: Request, response: Response) -> None:
        """Answer with all metrics, also where there is no snapshot: some tell just that."""
        try:
            encode, content_type = choose_encoder(request.get_header("Accept") or "")
        except (TypeError, ValueError):
            # A version that it can't make sense of.
            encode, content_type = choose_encoder("")
        response.data = encode(self._registry)
        response.content_type = content_type
        response.cache_control = ["no-store"]
        response.append_header("Vary", "Accept")

    on_head = on_get


class _Prices(Collector):
    def __init__(self, watch: Watch) -> None:
        self._watch = watch

    def collect(self) -> Iterator[Metric]:
        found = self._watch.look()
        stored = found.stored
        yield InfoMetricFamily(
            "utxoracle_build", "The program that answers.", value={"version": __version__}
        )
        yield _gauge("snapshot_up", "Whether there is a snapshot to read.", stored is not None)
        yield _gauge(
            "snapshot_revision",
            "Number of changes that led to the snapshot in use.",
            stored.revision if stored else None,
        )
        yield from _of_block(stored.top if stored else None)
        yield from _of_window(stored.window if stored else None, found.now)
        yield from _of_day(stored.day if stored else None)
        yield from _of_run(found.last_run)
        yield from _of_sources(found.last_run.sources if found.last_run else [])
        yield _states(
            "chain_state", "How the chain or its sources are.", _CHAIN_STATES, found.chain_state
        )
        yield _states(
            "health_status", "How things are, as /health tells it.", HealthStatus, found.status
        )


def _of_block(row: BlockRow | None) -> Iterator[Metric]:
    yield _gauge("block_height", "Height of the newest stored block.", row.height if row else None)
    yield _gauge("block_timestamp_seconds", "Time stamp of that block.", row.time if row else None)


def _of_window(row: WindowRow | None, now: float) -> Iterator[Metric]:
    price, exchange = (row.facts.price, row.exchange.price) if row else (None, None)
    amount, _ = difference(price, exchange)
    yield _gauge("price_usd", "The newest window price, valid or not, of one bitcoin.", price)
    yield _gauge("exchange_price_usd", "The exchange price at the time of its block.", exchange)
    yield _gauge(
        "price_difference_ratio",
        "How far the exchange price is above the window price, as a part of the latter.",
        amount / price if amount is not None and price else None,
    )
    yield _gauge(
        "price_valid", "Whether the window price is valid.", row.facts.is_valid if row else None
    )
    yield _gauge("price_diverges", "Whether both are too far apart.", row.diverges if row else None)
    yield _gauge(
        "confidence_ratio", "Confidence in the window price.", row.facts.confidence if row else None
    )
    yield _gauge(
        "window_age_seconds",
        "Age of the window price by its block's time stamp, which may be ahead of the clock.",
        now - row.time if row else None,
    )


def _of_day(row: DayRow | None) -> Iterator[Metric]:
    yield _gauge(
        "daily_price_usd", "The newest daily price, valid or not.", row.facts.price if row else None
    )
    yield _gauge(
        "daily_price_timestamp_seconds",
        "Noon of its day.",
        noon(row.date) if row else None,
    )
    yield _gauge(
        "daily_price_valid",
        "Whether the daily price is valid.",
        row.facts.is_valid if row else None,
    )


def _of_run(run: LastRun | None) -> Iterator[Metric]:
    yield _gauge(
        "last_run_timestamp_seconds", "When the last run ended.", run.finished if run else None
    )
    yield _gauge(
        "last_run_duration_seconds",
        "How long it took.",
        run.finished - run.started if run else None,
    )
    yield _gauge("last_run_exit_code", "Its exit code.", run.exit_code if run else None)
    yield _gauge("last_run_success", "Whether it went well.", run.exit_code == 0 if run else None)
    yield _gauge(
        "last_success_timestamp_seconds",
        "When the last run that went well ended.",
        run.succeeded if run else None,
    )


def _of_sources(sources: SourceRows) -> Iterator[Metric]:
    states = GaugeMetricFamily(
        "utxoracle_source_state",
        "How the last run found a source: 1 for the state that it is in.",
        labels=["source", "state"],
    )
    heights = GaugeMetricFamily(
        "utxoracle_source_height",
        "Height of a source's newest block, where the last run learnt it.",
        labels=["source"],
    )
    for one in sources:
        name, height = str(one["name"]), one["height"]
        for state in State:
            states.add_metric([name, state], one["state"] == state)
        if height is not None:
            heights.add_metric([name], float(height))
    yield states
    yield heights


def _gauge(name: str, text: str, value: float | None) -> Metric:
    family = GaugeMetricFamily(f"utxoracle_{name}", text)
    if value is not None:
        family.add_metric([], value)
    return family


def _states(name: str, text: str, states: Iterable[str], current: str | None) -> Metric:
    """Return a gauge for each state: 1 for the current one, and none where that isn't known."""
    family = GaugeMetricFamily(f"utxoracle_{name}", text, labels=["state"])
    for state in states if current else ():
        family.add_metric([state], state == current)
    return family
