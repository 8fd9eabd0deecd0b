"""`utxoracle alert`: what timers and failing units run to have somebody told."""

import json
import os
from dataclasses import fields
from pathlib import Path
from typing import Any

import click

from utxoracle.bitcoin.network import network_named
from utxoracle.cli.console import say, verbose_option
from utxoracle.cli.options import data_dir_option, json_option, settings_from
from utxoracle.errors import UsageError
from utxoracle.jobs.alert import Event, Message, Outcome, alert
from utxoracle.jobs.webhook import Delivery, told_status
from utxoracle.settings import Settings, variable_of

_NEEDED = (
    "alert_url", "alert_url_file", "alert_secret_file", "alert_timeout", "ca_file", "data_dir",
    "mount_point", "network",
)  # fmt: skip
"""Settings that are used although others are wrong."""


@click.command("alert", short_help="Send a webhook for what is wrong, once, and when it is over.")
@click.option(
    "--event",
    type=click.Choice([one.value for one in Event]),
    required=True,
    help="check: look at everything; failed, recovered: a unit did; test: send a test message.",
)
@click.option("--unit", metavar="NAME", help="The unit that failed or recovered.")
@click.option("--dry-run", is_flag=True, help="Print what would be sent, and remember nothing.")
@json_option
@data_dir_option
@verbose_option
def alert_command(
    *, event: str, unit: str | None, dry_run: bool, as_json: bool, data_dir: Path | None
) -> None:
    """Send a webhook (UTXORACLE_ALERT_URL) for what is wrong: once, and once more when it is over.

    A timer runs --event check every few minutes, and OnFailure= of units --event failed. What
    could not be delivered is sent with the next check, and the exit code is 3.

    \b
    Examples:
      utxoracle alert --event check --dry-run
      utxoracle alert --event failed --unit utxoracle-backup.service --dry-run
      utxoracle alert --event test --dry-run --json
    """
    settings, fault = _settings(data_dir)
    outcome = alert(Event(event), settings, unit=unit, dry_run=dry_run, fault=fault)
    if as_json:
        say(json.dumps(_as_json(outcome)))
    else:
        for message, delivery in outcome.sent:
            say(_line(message, delivery))
        if not outcome.sent and not outcome.failure:
            say(_nothing(outcome))
    if outcome.failure:
        raise outcome.failure


def _settings(data_dir: Path | None) -> tuple[Settings, str | None]:
    """Return the settings, and what is wrong where only those are usable that an alert needs.

    That a setting is wrong makes all other commands fail, which is what alerts are for.
    """
    try:
        settings = settings_from(data_dir=data_dir)
        network_named(settings.network_name())
    except UsageError as error:
        variables = [one.metadata["variable"] for one in fields(Settings) if one.name in _NEEDED]
        given = {name: os.environ[name] for name in variables if name in os.environ}
        if data_dir:
            given["UTXORACLE_DATA_DIR"] = str(data_dir)
        return _usable(given), f"the settings can't be used: {error}"
    return settings, None


def _usable(given: dict[str, str]) -> Settings:
    try:
        return Settings.from_environment(given)
    except UsageError:
        # The only one of them that is no text; its default does.
        given.pop(variable_of("alert_timeout"), None)
        return Settings.from_environment(given)


def _line(message: Message, delivery: Delivery | None) -> str:
    state = message["state"]
    shown = message["level"] if state == "raised" else state
    how = "would send"
    if delivery and delivery.status:
        how = f"sent ({told_status(delivery.status)})"
    return f"{how}: [{shown}] {message['message']}"


def _nothing(outcome: Outcome) -> str:
    if not outcome.open:
        return "nothing to send: nothing is wrong that could be looked at"
    return f"nothing new to send; told before: {', '.join(outcome.open)}"


def _as_json(outcome: Outcome) -> dict[str, Any]:
    return {
        "sent": [
            {
                "message": message,
                "status": delivery and delivery.status,
                "tries": delivery.tries if delivery else 0,
            }
            for message, delivery in outcome.sent
        ],
        "open": outcome.open,
        "failure": str(outcome.failure) if outcome.failure else None,
    }
