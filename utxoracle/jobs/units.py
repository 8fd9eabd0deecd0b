"""What systemd knows of a unit, where there is a systemd."""

from dataclasses import dataclass

from utxoracle.jobs.checks.programs import told_by

ANALYZE = "utxoracle-analyze.service"

_LINES = 50
_OURS = "utxoracle: "
_NO_FAILURE = "utxoracle: warning: "


@dataclass(frozen=True)
class UnitState:
    """How a unit is.

    Attributes:
        is_known: Whether there is a unit of that name.
        active: systemd's ActiveState: `active`, `inactive`, `failed`, `activating`, ...
        result: How it ended last: `success`, `exit-code`, `timeout`, ...
        exit_status: What its main process exited with; None if systemd doesn't tell.
        exited: When that was, seconds since 1970 UTC; None if it never did.
        invocation: systemd's name of its last start.
    """

    is_known: bool
    active: str
    result: str
    exit_status: int | None
    exited: int | None
    invocation: str


def unit_state(unit: str) -> UnitState | None:
    """Return how `unit` is; None where systemd can't be asked."""
    names = (
        "LoadState", "ActiveState", "Result", "ExecMainStatus", "ExecMainExitTimestamp",
        "InvocationID",
    )  # fmt: skip
    told = told_by("systemctl", "show", "--timestamp=unix", f"--property={','.join(names)}", unit)
    facts = dict(line.partition("=")[::2] for line in (told or "").splitlines())
    if "ActiveState" not in facts:
        return None
    return UnitState(
        is_known=facts.get("LoadState") != "not-found",
        active=facts["ActiveState"],
        result=facts.get("Result", ""),
        exit_status=_number(facts.get("ExecMainStatus", "")),
        # Written @1732346448, and nothing where it never was.
        exited=_number(facts.get("ExecMainExitTimestamp", "").removeprefix("@")),
        invocation=facts.get("InvocationID", ""),
    )


def last_words(state: UnitState) -> str | None:
    """Return the line by which this program told why it failed, if the journal may be read.

    Only its own lines: they never hold a secret, whereas nobody knows what others write.
    """
    if not state.invocation:
        return None
    told = told_by(
        "journalctl", f"_SYSTEMD_INVOCATION_ID={state.invocation}", f"--lines={_LINES}",
        "--output=cat", "--quiet", "--no-pager",
    )  # fmt: skip
    lines = [
        line.removeprefix(_OURS)
        for line in (told or "").splitlines()
        if line.startswith(_OURS) and not line.startswith(_NO_FAILURE)
    ]
    return lines[-1] if lines else None


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() else None
