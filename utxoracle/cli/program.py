"""The program: its commands, and the one place where a failure becomes a line and a code."""

import sys
import traceback
from contextlib import suppress

import click

from utxoracle import __version__
from utxoracle.cli.analyze import analyze_command, init_db_command
from utxoracle.cli.console import VERBOSE, give_up_output, say
from utxoracle.cli.price import plot_command, price_command
from utxoracle.cli.simulate import simulate_command
from utxoracle.cli.status import status_command
from utxoracle.errors import StorageError, UsageError, UtxoracleError


@click.group(
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, message="%(prog)s %(version)s")
@click.pass_context
def cli(context: click.Context) -> None:
    """The BTC/USD price that is written in confirmed Bitcoin blocks, from your own node.

    \b
    Exit codes: 0 done, 1 a check failed, 2 wrong usage or settings (also: a day that isn't
    finished), 3 source unreachable or syncing, 4 data refused, 5 storage.
    """
    if context.invoked_subcommand is None:
        say(context.get_help())


for command in (
    init_db_command,
    analyze_command,
    status_command,
    price_command,
    plot_command,
    simulate_command,
):
    cli.add_command(command)


def run() -> None:
    """Run the command; the one place where an expected failure becomes a line and an exit code.

    Raises:
        KeyboardInterrupt: It was interrupted.
    """
    # Looked for here, since a failure may come before the options are parsed.
    verbose = VERBOSE in sys.argv
    try:
        sys.exit(cli.main(prog_name="utxoracle", standalone_mode=False))
    except UtxoracleError as error:
        _fail(str(error), error.exit_code, verbose=verbose)
    except click.ClickException as error:
        _fail(_with_hint(error), UsageError.exit_code, verbose=verbose)
    except click.Abort:
        raise KeyboardInterrupt from None
    except OSError as error:
        # Sources and files tell their own failures: what is left is where the output goes.
        give_up_output()
        _fail(
            f"can't write the output: {error.strerror or error}",
            StorageError.exit_code,
            verbose=verbose,
        )


def _with_hint(error: click.ClickException) -> str:
    context = error.ctx if isinstance(error, click.UsageError) else None
    hint = f" (see {context.command_path} --help)" if context else ""
    return error.format_message() + hint


def _fail(message: str, exit_code: int, *, verbose: bool) -> None:
    if verbose:
        traceback.print_exc()
    with suppress(OSError):
        click.echo("utxoracle: " + " ".join(message.split()), err=True)
    sys.exit(exit_code)
