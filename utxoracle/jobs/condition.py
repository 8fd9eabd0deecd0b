"""A condition that somebody should hear of, also where it can't be looked at."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from utxoracle.errors import UtxoracleError
from utxoracle.jobs.alert_state import Context
from utxoracle.jobs.health import Check, CheckStatus

UNKNOWN = Check(CheckStatus.UNKNOWN, "")
WELL = Check(CheckStatus.OK, "")


@dataclass(frozen=True)
class Condition:
    """Something that may be wrong.

    Attributes:
        name: What it is, for example `divergence` or `source:mempool 127.0.0.1:8999`.
        component: The part that it is about.
        check: Whether it is; a condition of UNKNOWN neither begins nor ends.
        context: Figures.
        is_doubtful: Whether it is told only since it broke while it was looked at.
    """

    name: str
    component: str
    check: Check
    context: Context = field(default_factory=dict)
    is_doubtful: bool = False

    @property
    def holds(self) -> bool:
        """Whether it is so."""
        return self.check.status in (CheckStatus.WARNING, CheckStatus.ERROR)

    @property
    def is_over(self) -> bool:
        """Whether it isn't so."""
        return self.check.status is CheckStatus.OK


def guarded(
    name: str, component: str, ask: Callable[[], Check], context: Context | None = None
) -> Condition:
    """Return the condition that `ask` tells of; what breaks there must not hide all others.

    Raises:
        OSError: A disk fails, which is a condition of its own.
    """
    is_doubtful = False
    try:
        check = ask()
    except OSError:
        raise
    except UtxoracleError as error:
        check = Check(CheckStatus.ERROR, str(error))
    except Exception as error:
        check, is_doubtful = unforeseen(name, error), True
    return Condition(name, component, check, context or {}, is_doubtful)


def unforeseen(name: str, error: Exception) -> Check:
    """Return what to tell of an error that nobody thought of."""
    # Nobody knows what its text repeats: it may be a secret.
    return Check(
        CheckStatus.ERROR,
        f"{name} can't be looked at ({type(error).__name__}): run utxoracle doctor",
    )


def lost(what: str, patience: float, error: OSError, cure: str) -> Check:
    """Return what to tell of a disk that gives no answer within `patience` seconds, or fails."""
    how = f"fails: {error.strerror or type(error).__name__}"
    if isinstance(error, TimeoutError):
        how = f"gives no answer within {patience:g} s"
    return Check(CheckStatus.ERROR, f"{what} {how}; see dmesg, and {cure}")


def seen(check: Check) -> Check:
    """Return an error for what can't be looked at: nobody else would hear of it."""
    if check.status is CheckStatus.UNKNOWN:
        return replace(check, status=CheckStatus.ERROR)
    return check
