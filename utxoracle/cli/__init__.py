"""The command line: parses, calls a job, prints, and turns errors into exit codes."""

import os
import sys
from contextlib import suppress

from utxoracle.errors import INTERRUPTED


def main() -> None:
    """Run the program; Ctrl-C ends it with one line, also while it is still being loaded."""
    try:
        from utxoracle.cli.program import run

        run()
    except KeyboardInterrupt:
        if sys.stderr:
            sys.stderr.write("utxoracle: interrupted\n")
        _leave_the_stuck_behind(INTERRUPTED)
        sys.exit(INTERRUPTED)
    except SystemExit as ended:
        _leave_the_stuck_behind(ended.code)
        raise


def _leave_the_stuck_behind(exit_code: int | str | None) -> None:
    """End the process at once if a thread of it waits for a disk that may never answer."""
    time_limit = sys.modules.get("utxoracle.jobs.time_limit")
    if time_limit is None or not time_limit.is_left_behind():
        return
    for stream in filter(None, (sys.stdout, sys.stderr)):
        with suppress(OSError):
            stream.flush()
    # An orderly end would take away what that thread still uses.
    os._exit(exit_code if isinstance(exit_code, int) else bool(exit_code))
