"""What a simulated chain is made from: a handful of numbers, checked before anything is drawn."""

from dataclasses import dataclass, fields
from datetime import UTC, date, datetime
from typing import Any

from utxoracle.errors import UsageError

EARLIEST_START = date(2009, 1, 3)
LATEST_START = date(2090, 1, 1)

RANGES: dict[str, tuple[float, float, str]] = {
    "seed": (0, 2**63 - 1, "a number that names the chain"),
    "days": (1, 4000, "whole UTC days"),
    # More would not fit into the weight of a block.
    "transactions": (0, 3000, "mean transactions per block"),
    "price": (100.0, 1e8, "USD for one BTC at the start"),
    "volatility": (0.0, 1.0, "standard deviation of the log price over a day"),
    "start_height": (1, 10_000_000, "height of the first block"),
    "blocks_per_day": (4, 1440, "mean blocks per day"),
    "noise": (0.0, 1.0, "share of payments that aren't of a round dollar amount"),
}

FIRST_HEIGHT = 800
"""Height of the first block unless another one is given."""


@dataclass(frozen=True)
class SimulationOptions:
    """The options of a simulated chain; equal options give equal chains, to the last byte.

    Chains whose options differ in nothing but `days` share their blocks as far as both go; with
    `regtest`, as far as no coins are made for what is paid on those days.

    Attributes:
        seed: Names the chain among those with the same options.
        days: Whole UTC days to cover.
        transactions: Mean number of transactions per block.
        price: True price in USD at the first block.
        volatility: Standard deviation of the log price over a day.
        start: UTC day at which the first whole day begins, YYYY-MM-DD.
        start_height: Height of the first block.
        blocks_per_day: Mean number of blocks per day.
        noise: Share of payments that aren't of a round dollar amount.
        regtest: Whether a real node on regtest takes the blocks: they begin at height 1, and
            every output that is spent exists.

    Raises:
        UsageError: An option is out of its range; the message names it.
    """

    seed: int = 1
    days: int = 3
    transactions: int = 300
    price: float = 60_000.0
    volatility: float = 0.02
    start: str = "2025-01-01"
    start_height: int = FIRST_HEIGHT
    blocks_per_day: int = 144
    noise: float = 0.6
    regtest: bool = False

    def __post_init__(self) -> None:
        """Refuse what can't be simulated."""
        for name, (least, greatest, meaning) in RANGES.items():
            value = getattr(self, name)
            # Written this way round so that NaN is refused too.
            if not least <= value <= greatest:
                raise UsageError(
                    f"simulation option {name} ({meaning}) must be between {least} and "
                    f"{greatest}, not {value}"
                )
        if self.regtest:
            self._begin_at_height_1()
        # So that options that are equal are also written the same.
        for name in ("price", "volatility", "noise"):
            object.__setattr__(self, name, float(getattr(self, name)))
        object.__setattr__(self, "start", self._start_date().isoformat())
        if not EARLIEST_START <= self._start_date() <= LATEST_START:
            raise UsageError(
                f"simulation option start must be between {EARLIEST_START} and {LATEST_START}, "
                f"not {self.start}"
            )

    @classmethod
    def parse(cls, text: str) -> "SimulationOptions":
        """Return the options written as `seed=1,days=3`; an empty text means all defaults.

        Raises:
            UsageError: A key is unknown or given twice, or a value isn't of its option's kind.
        """
        kinds: dict[str, Any] = {option.name: option.type for option in fields(cls)}
        valid = ", ".join(kinds)
        values: dict[str, Any] = {}
        for part in filter(None, (one.strip() for one in text.split(","))):
            key, equals, value = (piece.strip() for piece in part.partition("="))
            if not equals or key not in kinds:
                raise UsageError(f"{part!r} is not a simulation option; give key=value of: {valid}")
            if key in values:
                raise UsageError(f"simulation option {key} is given twice; valid keys: {valid}")
            values[key] = _convert(key, value, kinds[key], valid)
        return cls(**values)

    def __str__(self) -> str:
        """Return all options in the form that `parse` reads."""
        # Left out where it is off: chains are named by this text, older ones than it among them.
        written = [one.name for one in fields(self) if one.name != "regtest" or self.regtest]
        return ",".join(f"{name}={_written(getattr(self, name))}" for name in written)

    @property
    def start_time(self) -> int:
        """Seconds since 1970 UTC at which the first whole day begins."""
        day = self._start_date()
        return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())

    def _begin_at_height_1(self) -> None:
        if self.start_height not in (1, FIRST_HEIGHT):
            raise UsageError(
                "simulation option start_height must be 1 with regtest, where a node wants every "
                f"block from the first one on, not {self.start_height}; leave it away"
            )
        object.__setattr__(self, "start_height", 1)

    def _start_date(self) -> date:
        try:
            return date.fromisoformat(self.start)
        except ValueError:
            raise UsageError(
                f"simulation option start must be a day such as 2025-01-01, not {self.start!r}"
            ) from None


def _written(value: object) -> str:
    return str(int(value) if isinstance(value, bool) else value)


def _convert(key: str, value: str, kind: Any, valid: str) -> Any:
    if kind is bool:
        if value in ("0", "1"):
            return value == "1"
        raise UsageError(
            f"simulation option {key} must be 1 or 0, not {value!r}; valid keys: {valid}"
        )
    try:
        return kind(value)
    except ValueError:
        what = "a whole number" if kind is int else "a number"
        raise UsageError(
            f"simulation option {key} must be {what}, not {value!r}; valid keys: {valid}"
        ) from None
