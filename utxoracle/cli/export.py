"""`utxoracle export`: what is stored, as files for other programs."""

import os
import signal
import sys
from contextlib import nullcontext
from pathlib import Path

import click

from utxoracle.cli.console import NamedPath, give_up_output, progress_of, say, verbose_option
from utxoracle.cli.options import data_dir_option, settings_from
from utxoracle.errors import StorageError, UsageError
from utxoracle.jobs.export import (
    CSV,
    FORMATS,
    JSON,
    JSON_LINES,
    PARQUET,
    Exported,
    Wanted,
    export,
)
from utxoracle.jobs.report import counted, size
from utxoracle.settings import Settings
from utxoracle.sources.moments import LATEST_MOMENT, MOMENT_RULE, read_moment
from utxoracle.store.exports import DATASETS, PRICES

STDOUT = ("-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1")
"""Names of standard output, none of which is one of a file that could be replaced."""

_ENDINGS = {
    ".csv": CSV,
    ".json": JSON,
    ".jsonl": JSON_LINES,
    ".ndjson": JSON_LINES,
    ".parquet": PARQUET,
}


def _moment(context: click.Context, parameter: click.Parameter, text: str | None) -> int | None:
    """Return a moment in seconds since 1970 UTC, which is written as the API takes it."""
    if text is None:
        return None
    seconds = read_moment(text)
    if seconds is None:
        raise click.BadParameter(f"it must be {MOMENT_RULE}, not {text!r}")
    return seconds


@click.command("export", short_help="Write prices as CSV, JSON or Parquet.")
@click.option(
    "--what",
    type=click.Choice([*DATASETS]),
    default=PRICES.name,
    show_default=True,
    help="Window prices, daily prices, or those that migrate took over from a predecessor.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(FORMATS),
    help="How to write them (jsonl: an object on each line). Told by the ending of -o, else csv.",
)
@click.option(
    "--from",
    "start",
    metavar="MOMENT",
    callback=_moment,
    help="First moment, for example 2026-01-01 or 2026-01-01T12:00:00Z; UTC.",
)
@click.option(
    "--to", "stop", metavar="MOMENT", callback=_moment, help="The moment behind the last one."
)
@click.option(
    "-o",
    "--output",
    type=NamedPath(),
    default="-",
    help="File to write, replaced in one step; a folder gets a Parquet file for each year; "
    "- is standard output, the default.",
)
@data_dir_option
@verbose_option
def export_command(
    *,
    what: str,
    form: str | None,
    start: int | None,
    stop: int | None,
    output: str,
    data_dir: Path | None,
) -> None:
    """Write the stored prices for other programs: as CSV, JSON or Parquet.

    Reads the published snapshot and waits for nobody. What is at --from belongs to the range, what
    is at --to doesn't; a day is in it when its noon is. All times are UTC, and prices exactly as
    computed.

    \b
    Examples:
      utxoracle export --from 2025-01-01 --to 2026-01-01 -o 2025.csv
      utxoracle export --what daily --format json
      utxoracle export -o prices.parquet
      utxoracle export -o history/
    """
    settings = settings_from(data_dir=data_dir)
    if start is not None and stop is not None and start >= stop:
        raise UsageError("--from must be a moment before --to")
    wanted = Wanted(DATASETS[what], start or 0, LATEST_MOMENT if stop is None else stop)
    # What systemd and containers send to end a program is to leave as little behind as Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if output in STDOUT:
        _to_stdout(settings, wanted, form or CSV)
        return
    by_year, form = _how(output, form)
    with progress_of("exporting", "rows") as progress:
        done = export(settings, wanted, form, Path(output), progress, by_year=by_year)
    say(_as_text(done, output))


def _how(output: str, form: str | None) -> tuple[bool, str]:
    """Return whether an output that is named is a folder, and the format."""
    ending = Path(output).suffix.lower()
    if output.endswith(os.sep) or Path(output).is_dir():
        if form not in (None, PARQUET):
            raise UsageError(f"{output} is a folder, which only takes parquet: name a file")
        return True, PARQUET
    if form is None and ending not in _ENDINGS:
        raise UsageError(
            f"the ending of {output} tells no format: give --format, or for a folder {output}/"
        )
    told = _ENDINGS.get(ending)
    form = form or _ENDINGS[ending]
    if told not in (None, form) and {told, form} != {JSON, JSON_LINES}:
        raise UsageError(f"the ending of {output} tells {told}, not {form}: change one of them")
    return form == PARQUET and _ENDINGS.get(ending) != PARQUET, form


def _to_stdout(settings: Settings, wanted: Wanted, form: str) -> None:
    if sys.stdout is None:
        raise StorageError("standard output is closed: name a file with -o")
    if form == PARQUET and sys.stdout.isatty():
        raise UsageError("parquet is nothing to be read on a terminal: name a file with -o")
    # A bar would run through the rows.
    quiet = nullcontext(_ignore) if sys.stdout.isatty() else progress_of("exporting", "rows")
    with quiet as progress:
        try:
            export(settings, wanted, form, sys.stdout.buffer, progress)
            sys.stdout.buffer.flush()
        except BrokenPipeError:
            give_up_output()


def _ignore(done: int, total: int) -> None:
    pass


def _as_text(done: Exported, output: str) -> str:
    count = sum(path.stat().st_size for path in done.files)
    files = "" if len(done.files) == 1 else f" in {len(done.files)} files"
    return f"wrote {counted(done.rows, 'row')} to {output}{files} ({size(count)})"
