"""Every failure this program names: one base class, one class per layer, each with its exit code.

The message is one line that says what happened, to which thing, and what to do about it.
"""

import errno

INTERRUPTED = 130
"""Exit code of a run that Ctrl-C ended."""


DISK_FAILURES = frozenset({errno.EIO, errno.EBADMSG, errno.EUCLEAN, errno.ENODEV, errno.ESTALE})
"""What the system calls it when a disk fails, or has gone, whoever asks."""


class UtxoracleError(Exception):
    """Base of all expected failures; the command line turns one into a line and an exit code."""

    exit_code = 1


class UsageError(UtxoracleError):
    """Raised when an option, an argument or a setting can't be used as given."""

    exit_code = 2


class DayUnavailable(UsageError):
    """Raised when a day isn't finished yet, or the source doesn't reach back to it."""


class DayOutOfReach(DayUnavailable):
    """Raised when a source lacks a block that shows where a day begins or ends."""


class SourceError(UtxoracleError):
    """Raised when a source can't be reached, isn't ready, or gives an answer that isn't one."""

    exit_code = 3


class SourceSyncing(SourceError):
    """Raised when a source's node is still loading or catching up, as it says itself."""


class SourceBehind(SourceError):
    """Raised when a source ends below all that is stored of its chain."""


class BlockNotFound(SourceError):
    """Raised when a source has no block at a height, or none of a hash."""


class ChainReorganised(SourceError):
    """Raised when blocks that a source gave one after the other are not of one chain."""


class DeliveryError(SourceError):
    """Raised when an alert could not be delivered."""


class DataError(UtxoracleError):
    """Raised when data arrived but must not be used."""

    exit_code = 4


class BlockCorrupt(DataError):
    """Raised when the bytes of a block fail verification."""


class WrongNetwork(DataError):
    """Raised when a source follows another chain than the one that was asked for."""


class PriceImpossible(DataError):
    """Raised when blocks are sound but hold no price that the method can find.

    Attributes:
        reason: Why, without naming the blocks and without advice.
    """

    def __init__(self, blocks: str, reason: str, advice: str) -> None:
        super().__init__(f"{blocks}: {reason}; {advice}")
        self.reason = reason


class StorageError(UtxoracleError):
    """Raised when a file or folder can't be read or written as needed."""

    exit_code = 5
