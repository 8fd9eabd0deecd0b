"""Programs of the machine that tell how it is."""

import os
import subprocess

_PATIENCE = 5
"""Seconds."""


def told_by(*command: str) -> str | None:
    """Return what a program prints; None where it isn't there, fails, or takes too long."""
    try:
        done = subprocess.run(  # noqa: S603
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=True,
            timeout=_PATIENCE,
            env=os.environ | {"LC_ALL": "C"},
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.decode("utf-8", "replace").strip()
