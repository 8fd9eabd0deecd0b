"""The program: its commands, and the one place where a failure becomes a line and a code."""

import sys
from contextlib import suppress
from importlib import import_module

import click

from utxoracle import __version__
from utxoracle.cli.console import VERBOSE, buffer_output, give_up_output, say, show_events
from utxoracle.errors import DISK_FAILURES, StorageError, UsageError, UtxoracleError

COMMANDS = {
    "init-db": "analyze:init_db_command",
    "analyze": "analyze:analyze_command",
    "status": "status:status_command",
    "doctor": "doctor:doctor_command",
    "price": "price:price_command",
    "plot": "price:plot_command",
    "export": "export:export_command",
    "serve": "serve:serve_command",
    "backup": "backup:backup_command",
    "backups": "backup:backups_command",
    "restore": "backup:restore_command",
    "backup-mempool-db": "mempool_db:backup_mempool_db_command",
    "alert": "alert:alert_command",
    "migrate": "migrate:migrate_command",
    "simulate": "simulate:simulate_command",
    "demo": "demo:demo_command",
}
"""Where each command is, in the order in which --help shows them."""


class _Commands(click.Group):
    """Loads a command when it is asked for: the others would cost a timer's run its start-up."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command, None when there is none of that name."""
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name].partition(":")
        command: click.Command = getattr(import_module(f"utxoracle.cli.{module}"), name)
        return command


@click.group(
    cls=_Commands,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, message="%(prog)s %(version)s")
@click.pass_context
def cli(context: click.Context) -> None:
    """The BTC/USD price that is written in confirmed Bitcoin blocks, from your own node.

    \b
    Exit codes: 0 done, 1 a check failed, 2 wrong usage or settings (also: a day that isn't
    finished), 3 source unreachable or syncing, 4 data refused, 5 storage, 130 interrupted.
    """
    if context.invoked_subcommand is None:
        say(context.get_help())


def run() -> None:
    """Run the command; the one place where an expected failure becomes a line and an exit code.

    Raises:
        KeyboardInterrupt: It was interrupted.
    """
    # Looked for here, since a failure may come before the options are parsed.
    verbose = VERBOSE in sys.argv
    show_events(verbose=verbose)
    buffer_output()
    try:
        sys.exit(cli.main(prog_name="utxoracle", standalone_mode=False))
    except UtxoracleError as error:
        _fail(str(error), error.exit_code, verbose=verbose)
    except click.ClickException as error:
        _fail(_with_hint(error), UsageError.exit_code, verbose=verbose)
    except click.Abort:
        raise KeyboardInterrupt from None
    except OSError as error:
        give_up_output()
        _fail(_told(error), StorageError.exit_code, verbose=verbose)


def _told(error: OSError) -> str:
    """Return what to say of an error that nothing else has told of."""
    place, why = error.filename, error.strerror or error
    if place and error.errno in DISK_FAILURES:
        return f"the disk of {place} fails or is gone ({why}): see dmesg"
    if place and isinstance(error, PermissionError):
        return (
            f"{place} can't be used: {why}; check its owner and mode, and those of the folders "
            "that lead to it"
        )
    if place:
        return f"{place} can't be used: {why}; choose another name, or see what it is"
    # Sources and files tell their own failures: what is left is where the output goes, or a disk
    # that fails while a file is open.
    return f"can't write the output: {why}" + (
        ", or a disk fails: see dmesg" if error.errno in DISK_FAILURES else ""
    )


def _with_hint(error: click.ClickException) -> str:
    context = error.ctx if isinstance(error, click.UsageError) else None
    hint = f" (see {context.command_path} --help)" if context else ""
    return error.format_message() + hint


def _fail(message: str, exit_code: int, *, verbose: bool) -> None:
    if verbose:
        from traceback import print_exc

        print_exc()
    with suppress(OSError):
        click.echo("utxoracle: " + " ".join(message.split()), err=True)
    sys.exit(exit_code)
