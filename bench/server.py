"""`python -m bench.server CHAIN DELAY`: serves a simulated chain that is made and kept whole.

What `utxoracle simulate --serve` does, but for the blocks: that one makes them when they are asked
for, and keeps the newest of them, so that whoever asks would be measured making them.
"""

import signal
import sys

from utxoracle.jobs.simulate import serve_simulation
from utxoracle.simulation.chain import SimulatedChain
from utxoracle.simulation.options import SimulationOptions
from utxoracle.simulation.server import SimulationServer

ALL_BLOCKS = 4 << 30
"""Bytes; more than any chain here has."""


def main(options: str, delay: float) -> None:
    """Serve the chain of `options` until it is told to end, each raw block after `delay` s."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    chain = SimulatedChain(SimulationOptions.parse(options), cache_bytes=ALL_BLOCKS)
    chain.generate()
    serve_simulation(
        chain,
        host="127.0.0.1",
        port=0,
        tip=None,
        block_every=None,
        cookie_file=None,
        rest=True,
        delay=delay,
        ready=_announce,
    )


def _announce(server: SimulationServer) -> None:
    print(server.url, flush=True)


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))
