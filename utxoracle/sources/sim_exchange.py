"""Exchange prices of a simulated chain: its true price, as a back end would have stored it."""

from collections.abc import Sequence
from functools import cached_property

from utxoracle.settings import Settings
from utxoracle.simulation.chain import SimulatedChain
from utxoracle.simulation.exchange import ExchangePrices
from utxoracle.simulation.options import SimulationOptions
from utxoracle.simulation.view import ChainView
from utxoracle.sources.exchange import ExchangePrice, ExchangeRows


class SimExchange:
    """The hourly rows of a simulated chain; no block is made for them.

    Raises:
        UsageError: An option is unknown or can't be used as given.
    """

    def __init__(self, options: str, settings: Settings) -> None:
        self.name = f"sim {options}".strip()
        self._options = SimulationOptions.parse(options)
        self._max_age = settings.exchange_max_age

    def prices_at(self, times: Sequence[int]) -> list[ExchangePrice]:
        """Return one price for each of `times`; see `ExchangeSource.prices_at`."""
        return [
            ExchangeRows([self._rows.at(time, "USD")], self._max_age).price_at(time)
            for time in times
        ]

    def close(self) -> None:
        """Do nothing: the chain is in memory."""

    @cached_property
    def _rows(self) -> ExchangePrices:
        chain = SimulatedChain(self._options)
        return ExchangePrices(ChainView(chain, chain.tip_height))
