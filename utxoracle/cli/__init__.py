"""The command line: parses, calls a job, prints, and turns errors into exit codes."""

import sys

from utxoracle.errors import INTERRUPTED


def main() -> None:
    """Run the program; Ctrl-C ends it with one line, also while it is still being loaded."""
    try:
        from utxoracle.cli.program import run

        run()
    except KeyboardInterrupt:
        if sys.stderr:
            sys.stderr.write("utxoracle: interrupted\n")
        sys.exit(INTERRUPTED)
