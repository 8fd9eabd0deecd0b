"""`utxoracle doctor`: the whole checklist, and what to do where something is not well."""

import json
import sys
from collections import Counter
from itertools import groupby
from pathlib import Path

import click

from utxoracle.cli.console import say, verbose_option
from utxoracle.cli.options import data_dir_option, network_option, settings_from, source_option
from utxoracle.jobs.doctor import Finding, doctor
from utxoracle.jobs.health import CheckStatus

FAILED = 1
"""Exit code when a check has failed."""

_MARKS = {
    CheckStatus.OK: "✔",
    CheckStatus.WARNING: "!",
    CheckStatus.ERROR: "✘",
    CheckStatus.UNKNOWN: "?",
}
_ASCII_MARKS = _MARKS | {CheckStatus.OK: "+", CheckStatus.ERROR: "x"}
_COLOURS = {
    CheckStatus.OK: "green",
    CheckStatus.WARNING: "yellow",
    CheckStatus.ERROR: "red",
    CheckStatus.UNKNOWN: "cyan",
}
_WORDS = {
    CheckStatus.OK: "well",
    CheckStatus.WARNING: "to look at",
    CheckStatus.ERROR: "failed",
    CheckStatus.UNKNOWN: "not known",
}


@click.command("doctor", short_help="Check everything, and say what to do.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON array.")
@source_option
@network_option
@data_dir_option
@verbose_option
@click.pass_context
def doctor_command(
    context: click.Context,
    *,
    as_json: bool,
    source: str | None,
    network: str | None,
    data_dir: Path | None,
) -> None:
    """Check storage, database, runs, sources, services and the machine; change nothing.

    The exit code is 1 when a check has failed. What can't be checked is marked with a question
    mark, and is no failure.

    \b
    Examples:
      utxoracle doctor
      utxoracle doctor --json
    """
    found = doctor(settings_from(source=source, network=network, data_dir=data_dir))
    say(json.dumps([*map(_as_json, found)]) if as_json else _as_text(found))
    if any(one.check.status is CheckStatus.ERROR for one in found):
        context.exit(FAILED)


def _as_json(finding: Finding) -> dict[str, str]:
    return {
        "group": finding.group,
        "name": finding.name,
        "status": finding.check.status,
        "detail": finding.check.detail,
    }


def _as_text(found: list[Finding]) -> str:
    marks = _marks()
    width = max(len(one.name) for one in found)
    lines: list[str] = []
    for group, findings in groupby(found, lambda one: one.group):
        lines += ["", group] if lines else [group]
        for one in findings:
            status = one.check.status
            mark = click.style(marks[status], _COLOURS[status])
            lines.append(f"  {mark} {one.name:<{width}}  {' '.join(one.check.detail.split())}")
    counted = Counter(one.check.status for one in found)
    summary = ", ".join(
        f"{marks[status]} {counted[status]} {word}" for status, word in _WORDS.items()
    )
    return "\n".join([*lines, "", f"{len(found)} checks: {summary}"])


def _marks() -> dict[CheckStatus, str]:
    try:
        "".join(_MARKS.values()).encode(getattr(sys.stdout, "encoding", None) or "ascii")
    except (UnicodeError, LookupError):
        return _ASCII_MARKS
    return _MARKS
