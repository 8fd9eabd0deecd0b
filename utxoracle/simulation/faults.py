"""Faults of a simulated server: of which kind, at which step of a client, and how many times."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from threading import Event, Lock

from utxoracle.errors import UsageError

MOST_DIGITS = 9


class Step(StrEnum):
    """What a client wants of a server, whatever it calls it there."""

    TIP = "tip"
    HASH = "hash"
    HEADER = "header"
    BLOCK = "block"
    PRICE = "price"


class Kind(StrEnum):
    """What goes wrong."""

    REFUSE = "refuse"
    HANG = "hang"
    STATUS_500 = "status-500"
    STATUS_502 = "status-502"
    STATUS_503 = "status-503"
    STATUS_429 = "status-429"
    HTML = "html"
    EMPTY = "empty"
    HALF = "half"
    FLIP = "flip"
    FLIP_WITNESS = "flip-witness"
    OTHER = "other"
    STALE = "stale"
    GZIP = "gzip"
    CHUNKED = "chunked"
    TRICKLE = "trickle"
    ENDLESS = "endless"
    REDIRECT = "redirect"
    RESET = "reset"


@dataclass(frozen=True)
class Fault:
    """A fault, written `KIND[@STEP][*TIMES]`.

    Attributes:
        kind: What goes wrong.
        step: Where it does; None for every request.
        times: How many requests it still spoils; None for all.
    """

    kind: Kind
    step: Step | None = None
    times: int | None = None

    @classmethod
    def parse(cls, text: str) -> "Fault":
        """Return the fault that `text` names.

        Raises:
            UsageError: There is no such kind or step, the number is none, or only raw blocks
                can have this kind.
        """
        head, star, times = text.partition("*")
        kind, at, step = head.partition("@")
        if kind not in list(Kind):
            raise UsageError(f"there is no fault {kind!r}; there are {', '.join(Kind)}")
        if at and step not in list(Step):
            raise UsageError(f"fault {text!r}: no step {step!r}; there are {', '.join(Step)}")
        if star and not (times.isdecimal() and len(times) <= MOST_DIGITS and int(times)):
            raise UsageError(f"fault {text!r}: {times!r} is no number of times; give 1 or more")
        fault = cls(Kind(kind), Step(step) if at else None, int(times) if star else None)
        if fault.kind is Kind.FLIP_WITNESS and fault.step not in (None, Step.BLOCK):
            raise UsageError(f"fault {text!r}: only a block has witnesses; give {kind}@block")
        return fault

    def __str__(self) -> str:
        step = f"@{self.step}" if self.step else ""
        times = f"*{self.times}" if self.times else ""
        return f"{self.kind}{step}{times}"

    def hits(self, step: Step | None) -> bool:
        """Tell whether a request at `step` is spoilt; most of a server's routes are at none."""
        if self.kind is Kind.FLIP_WITNESS:
            return step is Step.BLOCK
        return self.step is None or step is self.step


class Faults:
    """Faults in their order, counted down; safe to use from several threads.

    Attributes:
        healed: Set once other faults have taken their place, or the server ends: whatever keeps
            a client waiting ends then.
    """

    def __init__(self, faults: Iterable[Fault] = ()) -> None:
        self._lock = Lock()
        self._left = list(faults)
        self.healed = Event()

    @property
    def left(self) -> list[str]:
        """The faults that are left, as they are written."""
        with self._lock:
            return [str(fault) for fault in self._left]

    def take(self, step: Step | None) -> Fault | None:
        """Return the first fault that hits a request at `step`, and count it down."""
        with self._lock:
            for index, fault in enumerate(self._left):
                if not fault.hits(step):
                    continue
                if fault.times == 1:
                    del self._left[index]
                elif fault.times:
                    self._left[index] = replace(fault, times=fault.times - 1)
                return fault
        return None
