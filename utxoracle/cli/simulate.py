"""`utxoracle simulate`: a chain with a known price, as files or served."""

import signal
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from utxoracle.cli.console import HEIGHT, NamedPath, progress_of, say, verbose_option
from utxoracle.errors import UsageError
from utxoracle.simulation.faults import Kind, Step
from utxoracle.simulation.options import RANGES, SimulationOptions
from utxoracle.simulation.role import Role

if TYPE_CHECKING:
    from utxoracle.simulation.server import SimulationServer


MEANINGS = {
    **{name: meaning for name, (*_, meaning) in RANGES.items()},
    "start": "UTC day at which the first whole day begins",
    "regtest": "blocks from height 1 on that a real node on regtest takes",
}

SERVING = (
    "host",
    "port",
    "play",
    "tip",
    "block_every",
    "cookie_file",
    "no_rest",
    "delay",
    "loading",
    "syncing",
    "pruned",
    "faults",
)
"""The options that mean something to a server only."""

PRICE = "utxoracle price --network regtest --source"
TRIALS = {
    Role.ALL: (PRICE + " bitcoind+http://{place}", PRICE + " mempool+http://{place}"),
    Role.BACKEND: (PRICE + " mempool+http://{place}",),
    Role.FRONTEND: (PRICE + " mempool+http://{place}",),
    Role.ESPLORA: (f"UTXORACLE_ELECTRS_URL=http://ELECTRS {PRICE} mempool+http://{{place}}",),
    Role.ELECTRS: (f"UTXORACLE_ELECTRS_URL=http://{{place}} {PRICE} mempool+http://BACKEND",),
    Role.BITCOIND: (PRICE + " bitcoind+http://{place}",),
}
"""How to try what a server plays."""


def simulation_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command an option for each of a simulation's, with its default and its range."""
    for option in reversed(fields(SimulationOptions)):
        meaning = MEANINGS[option.name]
        command = click.option(
            f"--{option.name.replace('_', '-')}",
            type=type(option.default),
            is_flag=option.type is bool,
            default=option.default,
            show_default=True,
            help=f"{meaning[0].upper()}{meaning[1:]}.",
        )(command)
    return command


@click.command("simulate", short_help="Make a chain with a known price, as files or served.")
@simulation_options
@click.option(
    "-o",
    "--output",
    type=NamedPath(file_okay=False, path_type=Path),
    help="Folder for <height>.bin files and index.csv, which holds the true price.",
)
@click.option("--serve", is_flag=True, help="Answer as bitcoind and a mempool stack do.")
@click.option(
    "--play",
    # Their values: of an enum's members, click would take the names.
    type=click.Choice([role.value for role in Role]),
    default=Role.ALL.value,
    show_default=True,
    help="Which server to play; all is bitcoind and a mempool stack on one port.",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=18443,
    show_default=True,
    help="Port to listen on; 0 takes a free one.",
)
@click.option("--tip", type=HEIGHT, help="Newest block to show at first.")
@click.option(
    "--block-every",
    type=click.FloatRange(min=0, min_open=True),
    metavar="SECONDS",
    help="Show another block each so many seconds, from --tip on.",
)
@click.option(
    "--cookie-file",
    type=NamedPath(dir_okay=False, path_type=Path),
    help="Write a cookie here, and want it for JSON-RPC.",
)
@click.option("--no-rest", is_flag=True, help="Answer as a bitcoind without rest=1: JSON-RPC only.")
@click.option(
    "--delay",
    type=click.FloatRange(min=0),
    default=0.0,
    show_default=True,
    metavar="SECONDS",
    help="Take so long to read each raw block, as a busy server does.",
)
@click.option("--loading", is_flag=True, help="Answer as while the node still loads its blocks.")
@click.option("--syncing", is_flag=True, help="Say that the node is catching up.")
@click.option("--pruned", type=HEIGHT, help="Have no raw blocks below, as a pruned node.")
@click.option(
    "--fault",
    "faults",
    multiple=True,
    metavar="KIND[@STEP][*TIMES]",
    help=f"Let something go wrong, such as half@block*2; may be given several times. Kinds: "
    f"{', '.join(Kind)}. Steps: {', '.join(Step)}.",
)
@verbose_option
@click.pass_context
def simulate_command(
    context: click.Context,
    /,
    *,
    output: Path | None,
    serve: bool,
    host: str,
    port: int,
    play: str,
    tip: int | None,
    block_every: float | None,
    cookie_file: Path | None,
    no_rest: bool,
    delay: float,
    loading: bool,
    syncing: bool,
    pruned: int | None,
    faults: tuple[str, ...],
    **values: Any,
) -> None:
    """Make a chain of well-formed blocks whose true price is known.

    Equal options give equal chains, to the last byte. The blocks are those of a regtest chain;
    but only with --regtest are all outputs there that they spend.

    \b
    Examples:
      utxoracle simulate --days 2 -o blocks
      utxoracle price --source files:blocks --network regtest
      utxoracle simulate --regtest --transactions 50 -o chain
      utxoracle simulate --days 3 --serve --port 18443
      utxoracle price --source bitcoind+http://127.0.0.1:18443 --network regtest
      utxoracle simulate --serve --tip 1100 --block-every 30 --delay 0.5
      utxoracle simulate --serve --port 18443 --play backend --fault 'half@block*2'
    """
    from utxoracle.jobs.simulate import serve_simulation
    from utxoracle.simulation.chain import SimulatedChain
    from utxoracle.simulation.view import NodeState
    from utxoracle.simulation.writer import write_chain

    if not output and not serve:
        raise UsageError("nothing to do: give -o FOLDER to write the chain, or --serve")
    if not serve:
        _refuse_serving_options(context)
    chain = SimulatedChain(SimulationOptions(**values))
    if output:
        with progress_of("writing") as progress:
            *blocks, index = write_chain(chain, output, progress)
        say(f"wrote {len(blocks)} blocks and {index.name} to {output}")
    if serve:
        # What systemd and containers send to end a program is to end it as Ctrl-C does.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        serve_simulation(
            chain,
            host=host,
            port=port,
            tip=tip,
            block_every=block_every,
            cookie_file=cookie_file,
            rest=not no_rest,
            delay=delay,
            role=Role(play),
            node=NodeState(loading=loading, syncing=syncing, pruned=pruned),
            faults=faults,
            ready=_announce,
        )


def _refuse_serving_options(context: click.Context) -> None:
    given = [
        max(parameter.opts, key=len)
        for parameter in context.command.params
        if parameter.name in SERVING
        and context.get_parameter_source(parameter.name) is not ParameterSource.DEFAULT
    ]
    if given:
        raise UsageError(
            f"{', '.join(given)}: such options only go with --serve; add it, or leave them away"
        )


def _announce(server: "SimulationServer") -> None:
    place = server.url.removeprefix("http://")
    trials = "".join(f"\n  {trial.format(place=place)}" for trial in TRIALS[server.role])
    say(
        f"serving a simulated chain on {server.url} up to block {server.tip}; stop with Ctrl-C"
        f"{trials}"
    )
