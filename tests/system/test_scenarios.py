"""Each scenario on hosts with a systemd of their own. They want root, and a Debian that is made
once: a minute."""

import os
import signal
import subprocess
import sys

import pytest

from tests.conftest import PRINTED
from tests.system.driver import scenarios
from tests.system.rootfs import UNAVAILABLE

LONG = ["--long"] if os.environ.get("SYSTEM_TEST_LONG") else []
SECONDS = 1800 if LONG else 400


@pytest.mark.parametrize("scenario", scenarios())
def test_the_scenario_passes(scenario: str, record_property) -> None:
    command = [sys.executable, "-m", "tests.system", *LONG, scenario]
    run = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    )
    try:
        told, log = run.communicate(timeout=SECONDS)
    except subprocess.TimeoutExpired:
        # So that it cleans up, and its log is told.
        run.send_signal(signal.SIGINT)
        told, log = run.communicate()
    if run.returncode == UNAVAILABLE:
        pytest.skip(log.strip())
    print(told, log)
    assert run.returncode == 0, f"{' '.join(command[1:])} failed: its log is below"
    record_property(PRINTED, log.splitlines()[-1])
