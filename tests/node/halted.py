"""A run of analyze that stands still in its midst, so that things can happen meanwhile."""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from tests.appliance import SECONDS, Appliance, kill

Run = subprocess.Popen[str]


@contextmanager
def halted_run(appliance: Appliance, height: int, **settings: str) -> Iterator[Run]:
    """Start a run, and give it when it stands still: it has scanned the block at `height`."""
    moment = f"os.rename {height}_*.npz"
    run = subprocess.Popen(
        appliance.disturbed("halt", moment, "analyze"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=appliance.environment | settings,
    )
    try:
        how = os.waitid(os.P_PID, run.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
        assert how
        assert how.si_status == signal.SIGSTOP, run.communicate()[1]
        yield run
    finally:
        kill(run)


def go_on(run: Run) -> None:
    run.send_signal(signal.SIGCONT)


def finished(run: Run) -> "subprocess.CompletedProcess[str]":
    out, err = run.communicate(timeout=SECONDS)
    return subprocess.CompletedProcess(run.args, run.returncode, out, err)


def resumed(run: Run) -> "subprocess.CompletedProcess[str]":
    """Let a run go on to its end."""
    go_on(run)
    return finished(run)
