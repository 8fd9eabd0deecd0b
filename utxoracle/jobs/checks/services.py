"""Units and timers of systemd, and the containers that they run."""

import json
import os

from utxoracle.jobs.checks.programs import told_by
from utxoracle.jobs.health import Check, CheckStatus

_OURS = ("utxoracle*", "podman-mempool-*", "podman-network-mempool*", "bitcoind-utxoracle*")
"""Patterns: they fit what is loaded, as all is that failed."""

API_SOCKET, API_SERVICE = API_UNITS = ("utxoracle-api.socket", "utxoracle-api.service")
"""What listens, where it is installed: systemd, or the API itself."""

LASTING = (
    "utxoracle.target",
    API_SOCKET,
    "utxoracle-rpc-proxy.socket",
    "utxoracle-p2p-proxy.socket",
    "utxoracle-unplugged.service",
    "bitcoind-utxoracle.service",
    "podman-mempool-db.service",
    "podman-mempool-electrs.service",
    "podman-mempool-backend.service",
    "podman-mempool-frontend.service",
)
"""Units that are always to be active where they are installed; so is the API's service, unless
its socket starts it with the first request."""

TIMERS = ("utxoracle-analyze.timer", "utxoracle-backup.timer")
"""Those without which nothing goes on; others are there as they are wanted."""

_OUR_TIMERS = "utxoracle*.timer"
_CONTAINERS = "mempool-"

_NO_SYSTEMD = "systemd does not run here, or can't be asked"

Unit = dict[str, str]
"""Properties of a unit by their names."""


def units() -> Check:
    """Check that no unit has failed, and that those are active that always must be."""
    shown = _show("Id,LoadState,ActiveState,Result", *LASTING, *_OURS)
    if shown is None:
        return Check(CheckStatus.UNKNOWN, _NO_SYSTEMD)
    # Of those that are named, systemd also tells that they are not there.
    found = {unit["Id"]: unit for unit in shown if unit["LoadState"] != "not-found"}
    if not found:
        return Check(CheckStatus.UNKNOWN, "systemd knows no unit of utxoracle")
    lasting = LASTING if API_SOCKET in found else (*LASTING, API_SERVICE)
    down = []
    for name, unit in found.items():
        state = unit["ActiveState"]
        if state == "failed":
            down.append((name, f"has failed ({unit['Result']})"))
        elif name in lasting and state != "active":
            down.append((name, f"is {state}"))
    if down:
        return Check(
            CheckStatus.ERROR,
            "; ".join(f"{name} {how}" for name, how in down)
            + f": see journalctl -u {down[0][0]}, then systemctl restart {down[0][0]}",
        )
    return Check(CheckStatus.OK, f"{len(found)} units of utxoracle, none has failed")


def timers() -> Check:
    """Check that all timers are started and have a next time; one may be left out on purpose."""
    properties = "Id,LoadState,ActiveState,SubState,NextElapseUSecRealtime"
    shown = _show(f"{properties},NextElapseUSecMonotonic", *TIMERS, _OUR_TIMERS)
    if shown is None:
        return Check(CheckStatus.UNKNOWN, _NO_SYSTEMD)
    # systemd tells twice of what is named and fits a pattern, too.
    found = {timer["Id"]: timer for timer in shown}.values()
    known = [timer for timer in found if timer["LoadState"] == "loaded"]
    if not known:
        return Check(
            CheckStatus.UNKNOWN,
            "systemd knows no timer of utxoracle: see that something else starts utxoracle analyze "
            "every ten minutes",
        )
    for timer in known:
        name = timer["Id"]
        if timer["ActiveState"] != "active" or not _is_armed(timer):
            return Check(
                CheckStatus.ERROR,
                f"{name} is not armed ({timer['ActiveState']}, {timer['SubState']}): systemctl "
                f"start {name}",
            )
    if missing := [timer["Id"] for timer in found if timer not in known]:
        return Check(
            CheckStatus.WARNING,
            f"{missing[0]} is missing: unless that is meant, install it as the others are",
        )
    nexts = [f"{timer['Id']} {timer['NextElapseUSecRealtime'] or 'soon'}" for timer in known]
    return Check(CheckStatus.OK, "next: " + ", ".join(nexts))


def containers() -> Check:
    """Check that the containers of the mempool stack run, and are healthy where they tell."""
    if os.geteuid() != 0:
        # podman would make folders for a user's own containers, and those are not meant.
        return Check(CheckStatus.UNKNOWN, "only root can see them: run it as root for this one")
    told = told_by("podman", "ps", "--all", "--format=json", f"--filter=name=^{_CONTAINERS}")
    if told is None:
        return Check(CheckStatus.UNKNOWN, "podman is not there, or can't be asked")
    found = {one["Names"][0]: one for one in json.loads(told or "[]") or []}
    if not found:
        return Check(CheckStatus.UNKNOWN, f"podman has no container {_CONTAINERS}…")
    down = [
        f"{name} is {one['State']} ({one['Status']})"
        for name, one in sorted(found.items())
        if one["State"] != "running" or "unhealthy" in one["Status"]
    ]
    if down:
        first = down[0].partition(" ")[0]
        return Check(CheckStatus.ERROR, "; ".join(down) + f": see journalctl -u podman-{first}")
    return Check(CheckStatus.OK, f"running: {', '.join(sorted(found))}")


def is_installed(unit: str) -> bool:
    """Tell whether systemd knows a unit."""
    return any(one["LoadState"] == "loaded" for one in _show("LoadState", unit) or [])


def _show(properties: str, *names: str) -> list[Unit] | None:
    """Return properties of units, also of those that aren't there unless their names are patterns.

    None where systemd can't be asked.
    """
    told = told_by("systemctl", "show", f"--property={properties}", *names)
    if told is None:
        return None
    empty = dict.fromkeys(properties.split(","), "")
    return [
        empty | dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        for block in told.split("\n\n")
        if block
    ]


def _is_armed(timer: Unit) -> bool:
    if timer["SubState"] == "running":
        return True
    monotonic = timer["NextElapseUSecMonotonic"]
    return bool(timer["NextElapseUSecRealtime"]) or monotonic not in ("", "0", "infinity")
