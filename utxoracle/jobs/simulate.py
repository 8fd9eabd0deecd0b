"""A simulated chain, served as a node, a mempool stack or electrs would."""

import math
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from threading import TIMEOUT_MAX, Event

from utxoracle.errors import UsageError
from utxoracle.simulation.chain import SimulatedChain
from utxoracle.simulation.role import Role
from utxoracle.simulation.server import SimulationServer
from utxoracle.simulation.view import NodeState


def serve_simulation(
    chain: SimulatedChain,
    *,
    host: str,
    port: int,
    tip: int | None = None,
    block_every: float | None = None,
    cookie_file: Path | None = None,
    rest: bool = True,
    delay: float = 0.0,
    role: Role = Role.ALL,
    node: NodeState | None = None,
    faults: Sequence[str] = (),
    ready: Callable[[SimulationServer], None],
) -> None:
    """Serve a simulated chain until a KeyboardInterrupt.

    Args:
        chain: What to serve.
        host: Address to listen on.
        port: Port to listen on; 0 takes a free one.
        tip: Height of the newest block to show at first; the last one when not given.
        block_every: Seconds after which the next block is shown, as long as there is one.
        cookie_file: Where to write a fresh cookie that JSON-RPC then wants.
        rest: Whether to answer below `/rest`.
        delay: Seconds that each raw block takes to be read.
        role: What to play.
        node: In which state the node is; a healthy one when not given.
        faults: What goes wrong, each as `KIND[@STEP][*TIMES]`.
        ready: Called once it listens.

    Raises:
        UsageError: The address can't be listened on, there is no block at `tip`, there is no
            such fault, `delay` or `block_every` can't be waited for, or the latter comes without
            a tip.
        StorageError: The cookie can't be written, or would replace something else.
    """
    if block_every is not None:
        if tip is None:
            raise UsageError("new blocks can only follow an earlier tip: give --tip too")
        if math.isnan(block_every) or not 0 < block_every <= TIMEOUT_MAX:
            raise UsageError(f"no block can follow after {block_every} seconds: give another time")
    pause = Event()
    try:
        with SimulationServer(
            chain,
            host,
            port,
            tip=tip,
            cookie_file=cookie_file,
            rest=rest,
            delay=delay,
            role=role,
            node=node,
            faults=faults,
        ) as server:
            ready(server)
            while not pause.wait(block_every):
                # At the last block there is none to add.
                with suppress(UsageError):
                    server.advance_tip(1)
    except KeyboardInterrupt:
        # That is how a server in the foreground is meant to end.
        return
