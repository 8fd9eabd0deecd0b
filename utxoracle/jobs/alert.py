"""Alerts: each condition is told once, and once more when it is over."""

import logging
import os
import re
import socket
import time
from collections.abc import Iterable
from contextlib import nullcontext
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any
from uuid import uuid4

from utxoracle.errors import DeliveryError, StorageError, UsageError, UtxoracleError
from utxoracle.jobs.alert_state import (
    Alert,
    AlertState,
    Context,
    read_state,
    state_file,
    state_lock,
    write_state,
)
from utxoracle.jobs.condition import WELL, Condition
from utxoracle.jobs.conditions import UNIT, Findings, conditions, is_lost, last_run, storage
from utxoracle.jobs.health import Check, CheckStatus
from utxoracle.jobs.report import duration
from utxoracle.jobs.units import ANALYZE, UnitState, last_words, unit_state
from utxoracle.jobs.webhook import Delivery, Webhook, longest_delivery
from utxoracle.settings import Settings, variable_of
from utxoracle.sources.answers import printable
from utxoracle.sources.days import rfc3339

SENDING = 60.0
"""Seconds after which no further message is begun: others wait for the lock."""

_HOLDERS = 5
"""So many that send before it are waited for, each for as long as it may take."""

LONGEST_MESSAGE = 1000
"""Characters; a chat refuses 2,000."""

_UNIT_NAME = re.compile(r"[A-Za-z0-9:_.@][A-Za-z0-9:_.@\\-]{0,254}")

_FOR_CHATS = str.maketrans({"<": "(", ">": ")", "@": "(at)"})
"""What a chat would take for a link or for people to call; a message may quote a source."""

_log = logging.getLogger(__name__)

Message = dict[str, Any]


class Event(StrEnum):
    """Why alerts are looked after: it is time, a unit failed or does so no longer, or a test."""

    CHECK = "check"
    FAILED = "failed"
    RECOVERED = "recovered"
    TEST = "test"


@dataclass
class Outcome:
    """What came of it.

    Attributes:
        sent: The messages that were delivered, or would have been, and how.
        open: Conditions that hold, or held when last seen, and of which somebody knows.
        failure: What went wrong.
    """

    sent: list[tuple[Message, Delivery | None]] = field(default_factory=list)
    open: list[str] = field(default_factory=list)
    failure: UtxoracleError | None = None


def alert(
    event: Event,
    settings: Settings,
    *,
    unit: str | None = None,
    dry_run: bool = False,
    fault: str | None = None,
) -> Outcome:
    """Send what is to be told because of `event`, and what could not be delivered before.

    A message counts as told once a receiver has taken it; whoever is killed in between sends it
    again, by the same name.

    Args:
        event: What happened.
        settings: Where to send it, and what counts as too much, too old or too little.
        unit: The unit that failed, or does so no longer.
        dry_run: Send and change nothing; the receiver may be missing, but must be usable.
        fault: Why these are not all the settings that there should be.

    Raises:
        UsageError: There is nobody to send to, a setting can't be used, or a unit is named for an
            event that is about none, or the other way round.
    """
    unit = _checked_unit(event, unit)
    # Also for a dry run: what can't be read then can't be read when it matters.
    webhook = Webhook.from_settings(settings)
    if webhook is None and not dry_run:
        raise UsageError(
            f"nobody to send alerts to: set {variable_of('alert_url')}, for example "
            f"https://example.org/hook, or {variable_of('alert_url_file')}; --dry-run needs neither"
        )
    sender = _Sender(None if dry_run else webhook, settings.network_name())
    if event is Event.TEST:
        if fault:
            # A check would send that.
            _log.warning("%s", fault)
        sender.send_test()
        return sender.outcome
    folder = settings.state_folder()
    looked = time.time()
    # Without the lock: a disk that hangs keeps whoever looks for minutes, and nobody else.
    found = _found(event, unit, settings, folder, fault)
    patience = _HOLDERS * (SENDING + longest_delivery(settings.alert_timeout))
    with nullcontext() if dry_run else state_lock(folder, patience):
        state = _remembered(folder, _data_dir(settings))
        state.backup = found.backup or state.backup
        _update(state, found.conditions, looked)
        sender.send_due(state, None if dry_run else folder)
    return sender.outcome


def _checked_unit(event: Event, unit: str | None) -> str:
    """Return the unit's name as systemd has it.

    Raises:
        UsageError: It is missing, not wanted, or no name of a unit.
    """
    is_wanted = event in (Event.FAILED, Event.RECOVERED)
    if bool(unit) != is_wanted:
        verb = "wants" if is_wanted else "takes no"
        raise UsageError(f"--event {event} {verb} --unit")
    if not unit:
        return ""
    if not _UNIT_NAME.fullmatch(unit):
        raise UsageError(f"{printable(unit)[:100]!r} is no name of a unit")
    return unit if "." in unit else f"{unit}.service"


def _found(
    event: Event, unit: str, settings: Settings, folder: Path, fault: str | None
) -> Findings:
    if event is Event.FAILED:
        return Findings([_failed(unit, settings)], None)
    if event is Event.RECOVERED:
        return Findings([Condition(f"{UNIT}{unit}", "unit", WELL)], None)
    if fault:
        return Findings([Condition("settings", "settings", Check(CheckStatus.ERROR, fault))], None)
    try:
        before = read_state(folder, _data_dir(settings))
    except (OSError, ValueError):
        # That is told when it is read to be changed.
        before = AlertState(_data_dir(settings))
    found = conditions(settings, before, time.time())
    well = Condition("settings", "settings", WELL)
    return Findings([*found.conditions, well], found.backup)


def _data_dir(settings: Settings) -> str:
    # Not where links lead: that disk may hang.
    return os.path.normpath(settings.data_folder().absolute())


def _remembered(folder: Path, data_dir: str) -> AlertState:
    try:
        return read_state(folder, data_dir)
    except FileNotFoundError:
        pass
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "it isn't one"
        _log.warning(
            "what alerts remember in %s can't be read (%s): all that holds is sent again",
            state_file(folder),
            why,
        )
    return AlertState(data_dir)


def _failed(unit: str, settings: Settings) -> Condition:
    """Return the condition that a failed unit makes: the disk's, where that is why."""
    disk = storage(settings)
    if is_lost(disk):
        return disk
    state = unit_state(unit)
    words = last_words(state) if state else None
    if words is None and unit == ANALYZE:
        run = last_run(settings)
        words = run.message if run and run.exit_code else None
    context: Context = {"unit": unit}
    if state:
        context |= {"result": state.result, "exit_status": state.exit_status}
    detail = f"{unit} {_how(state)}: {words or f'see journalctl -u {unit}'}"
    return Condition(f"{UNIT}{unit}", "unit", Check(CheckStatus.ERROR, detail), context)


def _how(state: UnitState | None) -> str:
    if state is None or not state.is_known:
        return "failed"
    if state.active != "failed" and state.result == "success":
        return "was not started, since a unit that it needs failed"
    return f"failed ({state.result}, exit status {state.exit_status})"


def _update(state: AlertState, found: Iterable[Condition], looked: float) -> None:
    """Open alerts for what was found to hold from the moment `looked` on, and end others."""
    now = time.time()
    for one in found:
        known = state.alerts.get(one.name)
        level = "critical" if one.check.status is CheckStatus.ERROR else "warning"
        if one.holds and known and (known.level, level) != ("warning", "critical"):
            known.ended = None
            known.seen = max(known.seen, looked)
        elif one.holds:
            # What gets worse is told once more, by the same name.
            state.alerts[one.name] = Alert(
                id=known.id if known else uuid4().hex,
                condition=one.name,
                component=one.component,
                level=level,
                message=printable(one.check.detail)[:LONGEST_MESSAGE],
                context=one.context,
                since=known.since if known else looked,
                seen=looked,
            )
        # Others may have found it meanwhile; a moment to come is only that of a wrong clock.
        elif one.is_over and known and known.ended is None and not looked < known.seen <= now:
            known.ended = now


class _Sender:
    """Delivers messages, or only says which ones where there is no webhook."""

    def __init__(self, webhook: Webhook | None, network: str) -> None:
        self.outcome = Outcome()
        self._webhook = webhook
        self._network = network

    def send_test(self) -> None:
        """Deliver a message about nothing."""
        test = Alert(
            id=uuid4().hex,
            condition=Event.TEST,
            component="alert",
            level="info",
            message="a test: alerts arrive",
            context={},
            since=time.time(),
            seen=time.time(),
        )
        self._deliver(test, "")

    def send_due(self, state: AlertState, folder: Path | None) -> None:
        """Deliver what is to be told, the worst first; remember in `folder` that it is."""
        due = [one for one in state.alerts.values() if not one.told or one.ended]
        due.sort(key=lambda one: (one.ended is not None, one.level != "critical", one.since))
        # Before anything is sent, so that a message keeps its name whatever becomes of this run.
        self._remember(state, folder)
        begun = time.monotonic()
        for count, one in enumerate(due):
            if count and time.monotonic() - begun > SENDING:
                self._fail_late(count, len(due))
                break
            trouble = self._deliver(one, "; it is sent again with the next check")
            if trouble and trouble.can_pass:
                # Nor would the others arrive.
                break
            if trouble:
                continue
            if one.ended:
                del state.alerts[one.condition]
            else:
                one.told = True
            self._remember(state, folder)
        self.outcome.open = [name for name, one in state.alerts.items() if one.told]

    def _deliver(self, one: Alert, prospect: str) -> Delivery | None:
        """Deliver what is to be told of an alert; return how that failed, None if it didn't."""
        message = _message(one, self._network)
        # One that has got worse must not pass for the message that began it.
        name = f"{one.id}-{message['state']}-{message['level']}"
        delivery = self._webhook.deliver(message, name) if self._webhook else None
        if self._webhook and delivery and delivery.trouble:
            tries = f" ({delivery.tries} tries)" if delivery.tries > 1 else ""
            self.outcome.failure = DeliveryError(
                f"an alert could not be delivered: {self._webhook.place} {delivery.trouble}{tries}"
                f"{prospect}"
            )
            return delivery
        self.outcome.sent.append((message, delivery))
        return None

    def _fail_late(self, tried: int, due: int) -> None:
        place = self._webhook.place if self._webhook else ""
        self.outcome.failure = self.outcome.failure or DeliveryError(
            f"{place} takes long to answer: only {tried} of {due} alerts could be tried; the next "
            "check goes on"
        )

    def _remember(self, state: AlertState, folder: Path | None) -> None:
        if folder is None:
            return
        try:
            write_state(folder, state)
        except StorageError as error:
            # That it is sent again and again is for later: first it is sent.
            self.outcome.failure = self.outcome.failure or StorageError(
                f"{error}; until then alerts come again with every check"
            )


def _message(one: Alert, network: str) -> Message:
    """Return what is told of an alert, as it becomes JSON."""
    state, level, text = "raised", one.level, one.message
    if one.ended is not None:
        state, level = "cleared", "info"
        late = "" if one.told else ", and could not be told before"
        text = f"over after {duration(max(0.0, one.ended - one.since))}{late}: {text}"
    elif one.condition == Event.TEST:
        state = "test"
    host = socket.gethostname()
    for_chats = f"[{level if state == 'raised' else state}] utxoracle on {host}: {text}"
    for_chats = for_chats.translate(_FOR_CHATS)
    return {
        "level": level,
        "component": one.component,
        "condition": one.condition,
        "state": state,
        "message": text,
        "timestamp": rfc3339(one.since if one.ended is None else one.ended),
        "id": one.id,
        "host": host,
        "network": network,
        "context": one.context,
        # What Slack and Mattermost show, and what Discord does.
        "text": for_chats,
        "content": for_chats,
    }
