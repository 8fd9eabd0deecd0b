"""The sources of blocks and of exchange prices, as they answer now."""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from utxoracle.bitcoin.header import parse_header
from utxoracle.bitcoin.network import network_named
from utxoracle.errors import UtxoracleError
from utxoracle.jobs.health import Check, CheckStatus
from utxoracle.jobs.report import duration
from utxoracle.settings import Settings, variable_of
from utxoracle.sources.factory import open_exchange, open_source
from utxoracle.sources.genesis import verify_network
from utxoracle.sources.preference import MOST_BEHIND

if TYPE_CHECKING:
    from utxoracle.store.rows import BlockRow

_CONNECT = 3.0
_ANSWER = 5.0
"""Seconds that a server gets at most, whatever is set for runs."""

_EXCHANGE = variable_of("exchange_url")


@dataclass(frozen=True)
class SourceTip:
    """The newest block of a source.

    Attributes:
        height: Its height.
        time: Its time stamp.
        route: How the source wants to be asked (see `Source.route`).
    """

    height: int
    time: int
    route: str | None


def ask_tip(url: str, settings: Settings) -> SourceTip:
    """Return the newest block of the source that `url` names.

    Raises:
        UtxoracleError: It can't be asked, or follows another network.
    """
    with closing(open_source(url, _impatient(settings))) as source:
        verify_network(source, network_named(settings.network_name()))
        height, block_hash = source.tip()
        header = parse_header(source.header(block_hash))
        return SourceTip(height, header.time, source.route)


def sources(
    found: Sequence[SourceTip | BaseException], top: "BlockRow | None", now: float
) -> list[Check]:
    """Check each source by what it answered.

    One that fails is a failure only where no other is well: runs go on with that one.

    Args:
        found: What `ask_tip` gave or raised for each.
        top: The newest stored block, where that is known.
        now: Seconds since 1970 UTC.
    """
    failing = (
        CheckStatus.WARNING
        if any(isinstance(one, SourceTip) for one in found)
        else CheckStatus.ERROR
    )
    return [
        _answered(one, top, now) if isinstance(one, SourceTip) else Check(failing, _reason(one))
        for one in found
    ]


def exchange(settings: Settings, now: float) -> Check:
    """Check that there is an exchange price for this moment, asked for as runs do."""
    if settings.exchange_url == "none":
        return Check(CheckStatus.OK, f"nobody is asked for exchange prices, as {_EXCHANGE} says")
    source = open_exchange(_impatient(settings))
    if source is None:
        return Check(
            CheckStatus.UNKNOWN,
            f"nobody is known who tells exchange prices: set {_EXCHANGE} to a mempool back end, or "
            "to none",
        )
    with closing(source):
        (price,) = source.prices_at([int(now)])
    if price.price is None or price.time is None:
        # What runs say of blocks is of this moment here.
        reason = str(price.reason).replace("older than the block", "old")
        return Check(
            CheckStatus.WARNING,
            f"no exchange price from {source.name}: {reason}; see that its price feed works, or "
            f"set {_EXCHANGE} to another one or to none",
        )
    return Check(
        CheckStatus.OK,
        f"{source.name} tells ${price.price:,.0f}, {duration(max(0.0, now - price.time))} old",
    )


def _answered(tip: SourceTip, top: "BlockRow | None", now: float) -> Check:
    route = f", asked by {tip.route}" if tip.route else ""
    told = f"at block {tip.height}, {duration(max(0.0, now - tip.time))} old{route}"
    if top and tip.height < top.height - MOST_BEHIND:
        return Check(
            CheckStatus.WARNING,
            f"{told}: that is {top.height - tip.height:,} blocks below what is stored; has it "
            "stopped?",
        )
    return Check(CheckStatus.OK, told)


def _reason(error: BaseException) -> str:
    if isinstance(error, UtxoracleError):
        return str(error)
    if isinstance(error, TimeoutError):
        return "it takes too long to answer: see its log, and whether its node hangs"
    # Nobody knows what the text of any other error repeats: it may be a secret.
    return f"it can't be asked ({type(error).__name__})"


def _impatient(settings: Settings) -> Settings:
    return replace(
        settings,
        connect_timeout=min(settings.connect_timeout, _CONNECT),
        read_timeout=min(settings.read_timeout, _ANSWER),
        exchange_timeout=min(settings.exchange_timeout, _ANSWER),
        retries=0,
    )
