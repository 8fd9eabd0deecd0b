"""`utxoracle status`: what is stored and how fresh it is."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from utxoracle.cli.console import say, verbose_option
from utxoracle.cli.options import data_dir_option, json_option, settings_from
from utxoracle.cli.rows import day_as_json, window_as_json
from utxoracle.jobs.report import STALLED, duration
from utxoracle.jobs.status import Status, status
from utxoracle.sources.days import moment, rfc3339
from utxoracle.sources.preference import State

if TYPE_CHECKING:
    from utxoracle.store.last_run import LastRun
    from utxoracle.store.rows import DayRow, WindowRow


@click.command("status", short_help="Tell what is stored and how fresh it is.")
@json_option
@data_dir_option
@verbose_option
def status_command(as_json: bool, data_dir: Path | None) -> None:
    """Tell what is stored and how fresh it is.

    Reads the published snapshot and waits for nobody. The exit code is 0 also where the chain
    stalls or the last run failed.

    \b
    Examples:
      utxoracle status
      utxoracle status --json
    """
    found = status(settings_from(data_dir=data_dir))
    say(json.dumps(_as_json(found)) if as_json else status_as_text(found))


def _as_json(found: Status) -> dict[str, Any]:
    counts, run = found.counts, found.last_run
    return {
        "data_dir": str(found.folder.path),
        "network": found.network,
        "revision": found.revision,
        "schema_version": found.schema_version,
        "database_bytes": found.database_size,
        "snapshot_bytes": found.snapshot_size,
        "state": found.state,
        "missing": found.missing,
        "blocks": counts.blocks,
        "first_height": counts.first_height,
        "last_height": counts.last_height,
        "windows": counts.windows,
        "valid_windows": counts.valid_windows,
        "days": counts.days,
        "valid_days": counts.valid_days,
        "runs": counts.runs,
        "window": window_as_json(found.window) if found.window else None,
        "day": day_as_json(found.day) if found.day else None,
        "last_run": _run_as_json(run) if run else None,
    }


def _run_as_json(run: "LastRun") -> dict[str, Any]:
    return {
        "started": rfc3339(run.started),
        "finished": rfc3339(run.finished),
        "exit_code": run.exit_code,
        "message": run.message,
        "state": run.state,
        "source": run.source,
        "sources": run.sources,
        "tip_height": run.tip_height,
        "tip_hash": run.tip_hash,
        "caught_up": run.caught_up,
    }


def status_as_text(found: Status) -> str:
    """Return the table for people."""
    rows = {
        "window price": _window(found.window, found.now),
        "daily price": _day(found.day),
        "blocks": _blocks(found),
        "window prices": _prices(found.counts.windows, found.counts.valid_windows),
        "daily prices": _prices(found.counts.days, found.counts.valid_days),
        "last run": _last_run(found.last_run, found.now),
        "source": _sources(found.last_run),
        "snapshot": f"revision {found.revision}, {_size(found.snapshot_size)} "
        f"(database {_size(found.database_size)})",
        "chain": _chain(found),
    }
    head = f"{found.network} network, {found.folder.path}"
    return "\n".join([head, "", *(f"  {key:<15}{value}" for key, value in rows.items())])


def _window(row: "WindowRow | None", now: float) -> str:
    if row is None:
        return "none yet: run utxoracle analyze"
    return f"{_price(row)}, block {row.height} of {moment(row.time)}, {_ago(now - row.time)}"


def _day(row: "DayRow | None") -> str:
    return "none yet" if row is None else f"{_price(row)}, {row.date}, {row.blocks} blocks"


def _price(row: "WindowRow | DayRow") -> str:
    facts, exchange = row.facts, row.exchange
    if facts.price is None:
        return f"none ({facts.invalid_reason})"
    shown = f"${facts.price:,.2f}, confidence {facts.confidence:.2f}"
    if exchange.price is None:
        shown += f", no exchange price ({exchange.reason})"
    else:
        gap = 100 * (exchange.price - facts.price) / facts.price
        shown += f", exchange ${exchange.price:,.0f} ({gap:+.2f} %)"
        shown += ", DIVERGES" if row.diverges else ""
    return shown if facts.is_valid else f"{shown}, NOT VALID: {facts.invalid_reason}"


def _blocks(found: Status) -> str:
    counts = found.counts
    if not counts.blocks:
        return "none yet"
    return f"{counts.blocks:,} ({counts.first_height} to {counts.last_height})"


def _prices(stored: int, valid: int) -> str:
    return f"{stored:,}" + (f", {stored - valid:,} not valid" if stored > valid else "")


def _last_run(run: "LastRun | None", now: float) -> str:
    if run is None:
        return "none yet"
    how = "ok" if run.exit_code == 0 else f"FAILED with exit code {run.exit_code}"
    when = f"{moment(run.finished)}, {_ago(now - run.finished)}"
    return f"{how}, {when}: {run.message}"


def _sources(run: "LastRun | None") -> str:
    """Return how each source was found, each behind the first on a line of its own."""
    if run is None or not run.sources:
        return (run and run.source) or "none yet"
    lines = []
    for row in run.sources:
        name = str(row["name"])
        parts = [f"{name} ({run.routes[name]})" if name in run.routes else name, str(row["state"])]
        if row["height"] is not None:
            parts.append(f"block {row['height']}")
        if len(run.sources) > 1 and name == run.source and run.exit_code == 0:
            parts.append("in use")
        lines.append(", ".join(parts))
    return ("\n" + " " * 17).join(lines)


def _chain(found: Status) -> str:
    if found.state == STALLED and found.top:
        return f"stalled: no block for {duration(found.now - found.top.time)}"
    if found.state == State.FORKED:
        return "forked: sources have different newest blocks; which one stays will show"
    if found.state == State.OK and found.missing:
        return f"catching up: {found.missing:,} blocks of the source are not stored yet"
    if found.state == State.BEHIND:
        return "behind: the source ends below what is stored"
    return found.state or "not known yet"


def _ago(seconds: float) -> str:
    # Blocks may be stamped up to two hours ahead.
    return "just now" if seconds < 60 else f"{duration(seconds)} ago"


def _size(size: int | None) -> str:
    return "none" if size is None else f"{size / 1e6:.1f} MB"
