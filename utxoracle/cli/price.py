"""`utxoracle price` and `utxoracle plot`: a price straight from a source."""

import json
import time
from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from utxoracle.atomic import writable_target, write_atomically
from utxoracle.bitcoin.network import network_named
from utxoracle.cli.console import HEIGHT, NamedPath, progress_of, say, verbose_option
from utxoracle.cli.options import (
    Decorator,
    json_option,
    network_option,
    settings_from,
    source_option,
    worker_count,
)
from utxoracle.errors import UsageError
from utxoracle.sources.days import SELECTIONS, TILING
from utxoracle.sources.factory import open_sources

if TYPE_CHECKING:
    from utxoracle.jobs.price import Answer

STDOUT = "-"


def which_blocks(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that say what to price and where it comes from."""
    options: list[Decorator] = [
        click.option(
            "--day",
            type=click.DateTime(["%Y-%m-%d"]),
            metavar="YYYY-MM-DD",
            help="A finished UTC day. Without --day, --window or --from: the last finished one.",
        ),
        click.option(
            "--selection",
            type=click.Choice(SELECTIONS),
            help="How a day's blocks are chosen: days without gap or overlap (tiling, the "
            "default), or the search of the original program.",
        ),
        click.option("--window", is_flag=True, help="The 144 blocks before the tip."),
        click.option("--from", "first", type=HEIGHT, help="First height (with --to)."),
        click.option("--to", "last", type=HEIGHT, help="Last height, inclusive."),
        source_option,
        network_option,
        verbose_option,
    ]
    for option in reversed(options):
        command = option(command)
    return command


@click.command("price", short_help="Find the price of a day, a window or a run of blocks.")
@which_blocks
@json_option
def price_command(as_json: bool, **options: Any) -> None:
    """Find the price of a day, of the newest window, or of a run of blocks.

    Reads straight from a source and stores nothing.

    \b
    Examples:
      utxoracle price --source mempool+http://127.0.0.1:8999
      utxoracle price --source 'bitcoind+http://127.0.0.1:8332?cookie=/path/.cookie' --window
      utxoracle price --source mempool+http://127.0.0.1:8999 --from 900 --to 1043 --json
      utxoracle price --source sim:seed=1,days=3 --day 2025-01-02
    """
    started = time.monotonic()
    answer = _answer(**options)
    if as_json:
        say(json.dumps(_as_json(answer)))
    else:
        say(_as_text(answer, time.monotonic() - started))


@click.command("plot", short_help="Draw the price points as one HTML page.")
@which_blocks
@click.option(
    "-o",
    "--output",
    type=NamedPath(path_type=Path),
    required=True,
    help="HTML file to write; an older one is replaced; - is standard output.",
)
def plot_command(output: Path, **options: Any) -> None:
    """Draw the price points of a day, a window or a run of blocks as one HTML page.

    The page is self-contained: it opens without a network and holds no script.

    \b
    Examples:
      utxoracle plot --source mempool+http://127.0.0.1:8999 --day 2025-01-02 -o day.html
      utxoracle plot --source sim:seed=1,days=3 -o day.html
    """
    from utxoracle.jobs.plot import plot

    if str(output) == STDOUT:
        say(plot(_answer(**options)), end_line=False)
        return
    writable_target(output)
    write_atomically(output, plot(_answer(**options)).encode())
    say(f"wrote {output}")


def _answer(
    *,
    day: datetime | None,
    selection: str | None,
    window: bool,
    first: int | None,
    last: int | None,
    source: str | None,
    network: str | None,
) -> "Answer":
    from utxoracle.jobs.price import Question, price

    if (first is None) != (last is None):
        raise UsageError("--from and --to go together: give both heights")
    heights = None if first is None or last is None else (first, last)
    if sum(map(bool, (day, window, heights))) > 1:
        raise UsageError("--day, --window and --from/--to exclude each other: give one of them")
    if selection and (window or heights):
        raise UsageError("--selection chooses a day's blocks: leave it out or give --day instead")
    question = Question(
        day=day.date() if day else None,
        selection=selection or TILING,
        window=window,
        heights=heights,
    )
    settings = settings_from(source=source, network=network, needs_source=True)
    expected = network_named(settings.network_name())
    with closing(open_sources(settings)) as sources, progress_of("scanning") as progress:
        return sources.use(
            lambda opened: price(
                opened,
                question,
                network=expected,
                workers=worker_count(settings),
                progress=progress,
            )
        )


def _as_json(answer: "Answer") -> dict[str, Any]:
    found = answer.estimate
    return {
        "price": found.price,
        "price_usd": int(found.price),
        "label": answer.label,
        "rough_price": found.rough_price,
        "deviation": found.deviation,
        "confidence": found.confidence,
        "tx_count": found.tx_count,
        "outputs": found.outputs,
        "points": found.points,
        "blocks": found.blocks,
        "first_height": found.first_height,
        "last_height": found.last_height,
        "day": answer.day.isoformat() if answer.day else None,
    }


def _as_text(answer: "Answer", seconds: float) -> str:
    found = answer.estimate
    what = answer.label or "price (no canonical name for these blocks)"
    rows = {
        "blocks": f"{found.blocks:,} ({found.first_height} to {found.last_height})",
        "transactions": f"{found.tx_count:,} passed the filters",
        "outputs": f"{found.outputs:,}",
        "price points": f"{found.points:,}",
        "rough price": f"${found.rough_price:,}",
        "deviation": f"${found.deviation:,.2f}",
        "confidence": f"{found.confidence:.3f}",
        "source": answer.source,
        "took": f"{seconds:.1f} s",
    }
    head = f"${int(found.price):,}  {what}{f', {answer.day}' if answer.day else ''}"
    return "\n".join([head, "", *(f"  {key:<14}{value}" for key, value in rows.items())])
