"""Each scenario on hosts with a systemd of their own. They want root, and a Debian that is made
once: a minute."""

import os
import subprocess
import sys

import pytest

from tests.conftest import PRINTED
from tests.system.driver import scenarios
from tests.system.enclosed import UNAVAILABLE

LONG = ["--long"] if os.environ.get("SYSTEM_TEST_LONG") else []
SECONDS = 1800 if LONG else 400


@pytest.mark.parametrize("scenario", scenarios())
def test_the_scenario_passes(scenario: str, record_property) -> None:
    command = [sys.executable, "-m", "tests.system", *LONG, scenario]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=SECONDS, errors="replace"
    )
    if done.returncode == UNAVAILABLE:
        pytest.skip(done.stderr.strip())
    print(done.stdout, done.stderr)
    assert done.returncode == 0, f"{' '.join(command[1:])} failed: its log is below"
    record_property(PRINTED, done.stderr.splitlines()[-1])
