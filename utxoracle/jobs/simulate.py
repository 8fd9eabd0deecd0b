"""A simulated chain written to files, served as a node and a mempool back end would, or both."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread

from utxoracle.errors import UsageError
from utxoracle.simulation.chain import Progress, SimulatedChain
from utxoracle.simulation.options import SimulationOptions
from utxoracle.simulation.server import SimulationServer, serve
from utxoracle.simulation.writer import write_chain


def write_simulation(
    options: SimulationOptions, folder: Path, progress: Progress | None = None
) -> int:
    """Write the blocks of a simulated chain and an index with the true price; return how many.

    Raises:
        StorageError: The folder holds something else, or can't be written.
    """
    # The last path is the index.
    return len(write_chain(SimulatedChain(options), folder, progress)) - 1


def serve_simulation(
    options: SimulationOptions,
    *,
    host: str,
    port: int,
    tip: int | None = None,
    block_every: float | None = None,
    cookie_file: Path | None = None,
    ready: Callable[[SimulationServer], None],
) -> None:
    """Serve a simulated chain until it is interrupted.

    Args:
        options: What the chain is made from.
        host: Address to listen on.
        port: Port to listen on; 0 takes a free one.
        tip: Height of the newest block to show at first; the last one when not given.
        block_every: Seconds after which the next block is shown, until the last one.
        cookie_file: Where to write a fresh cookie that JSON-RPC then wants.
        ready: Called once it listens.

    Raises:
        UsageError: The address can't be listened on, or there is no block at `tip`.
    """
    if block_every is not None and tip is None:
        raise UsageError("new blocks can only follow an earlier tip: give --tip too")
    chain = SimulatedChain(options)
    stop = Event()

    def start(server: SimulationServer) -> None:
        if block_every is not None:
            Thread(target=_grow, args=(server, chain, block_every, stop), daemon=True).start()
        ready(server)

    try:
        serve(chain, host, port, tip=tip, cookie_file=cookie_file, ready=start)
    finally:
        stop.set()


def _grow(server: SimulationServer, chain: SimulatedChain, seconds: float, stop: Event) -> None:
    while server.tip < chain.tip_height and not stop.wait(seconds):
        # Somebody may have moved the tip to the end meanwhile.
        with suppress(UsageError):
            server.advance_tip(1)
