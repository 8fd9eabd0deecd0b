"""The server in a process of its own, for a program that does something else meanwhile."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.process import BaseProcess

from utxoracle.jobs.executor import end_with_parent, interrupts_held_back
from utxoracle.settings import Settings

_ENDING_SECONDS = 35
"""How long the server may take to end: somewhat more than it gives its workers."""


@contextmanager
def served_apart(
    settings: Settings, listener: socket.socket, *, verbose: bool = False
) -> Iterator[BaseProcess]:
    """Answer requests in another process for as long as the block runs.

    This one may use DuckDB, which doesn't outlive the fork that makes a worker; hence a process
    that is no copy of this one. It ends with this one, also where that is killed.

    Args:
        settings: What to serve, and with how many workers.
        listener: What to listen on; closed by this.
        verbose: Whether each request is told, and what becomes of the workers.
    """
    process = get_context("spawn").Process(
        target=_serve, args=(settings, listener, verbose), name="server", daemon=True
    )
    try:
        with interrupts_held_back():
            process.start()
        listener.close()
        yield process
    finally:
        if process.pid:
            process.terminate()
            process.join(_ENDING_SECONDS)
            process.kill()
            process.join()


def _serve(settings: Settings, listener: socket.socket, verbose: bool) -> None:
    from utxoracle.api.server import serve

    end_with_parent()
    serve(settings, listener=listener, access_log=verbose, events=verbose)
