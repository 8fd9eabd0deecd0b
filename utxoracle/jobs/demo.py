"""A simulated stack whose chain has come as far as now and goes on, stored like a real one's."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType

from utxoracle.bitcoin.network import REGTEST
from utxoracle.errors import StorageError, UsageError
from utxoracle.jobs.analyze import analyze
from utxoracle.jobs.report import Report
from utxoracle.settings import Settings
from utxoracle.simulation.chain import Progress, SimulatedChain
from utxoracle.simulation.options import SimulationOptions
from utxoracle.simulation.server import SimulationServer

DAYS_TO_COME = 365
"""A demo that goes on for longer sees no new blocks any more."""


@contextmanager
def demo_folder(wanted: Path | None) -> Iterator[Path]:
    """Give the folder for a demo's data: a new or empty one that stays, or one that is removed.

    Args:
        wanted: The one that stays; without it, a temporary one is made.

    Raises:
        UsageError: Something is in it.
        StorageError: It can't be looked into, or no temporary one can be made.
    """
    if wanted:
        _check_empty(wanted)
        yield wanted
        return
    try:
        # What can't be removed any more is no reason to fail: somebody else may have done it.
        temporary = TemporaryDirectory(prefix="utxoracle-demo-", ignore_cleanup_errors=True)
    except OSError as error:
        raise StorageError(
            f"no temporary folder can be made: {error.strerror}; set TMPDIR, or name one by "
            "--data-dir"
        ) from None
    with temporary as name:
        yield Path(name)


def _check_empty(folder: Path) -> None:
    try:
        if not any(folder.iterdir()):
            return
    except FileNotFoundError:
        return
    except OSError as error:
        raise StorageError(f"{folder} can't be used: {error.strerror}; choose another") from None
    # Another demo has another chain, and a real one's prices are nothing to try things with.
    raise UsageError(f"{folder} is not empty: name a new folder for a demo, or none")


def demo_options(seed: int, days: int) -> SimulationOptions:
    """Return what a chain is made from that began some whole UTC days before the present one.

    It has blocks for the time to come, too.
    """
    first_day = datetime.fromtimestamp(time.time(), UTC).date() - timedelta(days=days)
    return SimulationOptions(seed=seed, days=days + DAYS_TO_COME, start=first_day.isoformat())


class Demo:
    """A simulated stack, and runs over it; use it as a context manager.

    Of its chain it shows the blocks whose time has come, each run those that came since the last.

    Attributes:
        settings: Those of the runs, with the simulated stack as the source.

    Args:
        options: What the chain is made from.
        settings: Where the data is, and what else isn't to be as usual.
    """

    def __init__(self, options: SimulationOptions, settings: Settings) -> None:
        self._chain = SimulatedChain(options)
        self._server = SimulationServer(self._chain, tip=self._chain.first_height)
        self.settings = replace(
            settings, source=f"mempool+{self._server.url}", network=REGTEST.name
        )

    def __enter__(self) -> "Demo":
        self._server.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.close()

    def make_blocks(self, progress: Progress | None = None) -> None:
        """Make all blocks up to now; the stack would, too, but nobody sees how far it is."""
        self._chain.generate(self._newest, progress)

    def first_run(self, *, workers: int, progress: Progress | None = None) -> Report:
        """Store and price all blocks up to now."""
        # By itself a first run goes back two days; but what follows a stored block is never left
        # out, and so the stack shows its first one alone at first.
        self._run(workers=workers)
        return self.next_run(workers=workers, progress=progress)

    def next_run(self, *, workers: int, progress: Progress | None = None) -> Report:
        """Store and price the blocks whose time has come."""
        self._server.tip = self._newest
        return self._run(workers=workers, progress=progress)

    @property
    def _newest(self) -> int:
        return self._chain.newest_at(int(time.time()))

    def _run(self, *, workers: int, progress: Progress | None = None) -> Report:
        return analyze(
            self.settings,
            network=REGTEST,
            workers=workers,
            max_blocks=self._chain.tip_height,
            progress=progress,
        )
