"""The clock of this machine, by which ages are told and days end."""

from collections.abc import Iterable

from utxoracle.jobs.checks.programs import told_by
from utxoracle.jobs.health import MOST_AHEAD, Check, CheckStatus
from utxoracle.jobs.report import duration


def clock(newest: Iterable[int], now: float) -> Check:
    """Check that no block is of the future, and that the clock is kept right.

    Args:
        newest: Time stamps of the newest blocks that are known, seconds since 1970 UTC.
        now: The same of this moment.
    """
    ahead = max(newest, default=0) - now
    if ahead > MOST_AHEAD:
        return Check(
            CheckStatus.ERROR,
            f"the newest block is stamped {duration(ahead)} from now: set the clock of this "
            "machine, and let it be kept right (timedatectl set-ntp true)",
        )
    synchronised = told_by("timedatectl", "show", "--property=NTPSynchronized", "--value")
    if synchronised == "no":
        return Check(
            CheckStatus.WARNING,
            "nothing keeps the clock of this machine right: timedatectl set-ntp true",
        )
    if synchronised != "yes":
        return Check(
            CheckStatus.UNKNOWN,
            "no block is of the future, but nothing tells whether the clock is kept right: "
            "timedatectl can't be asked",
        )
    return Check(CheckStatus.OK, "kept right, and no block is of the future")
