"""Stand-ins for podman and docker, so that what a machine runs, or doesn't, changes no test."""

import os
from pathlib import Path

PROGRAMS = ("podman", "docker")


def without_containers(folder: Path, otherwise: str = "exit 9") -> str:
    """Make a podman and a docker that tell of no container, and return a PATH that finds them.

    Args:
        folder: Where they are.
        otherwise: What they do where they are asked for anything else, in the shell's language.
    """
    folder.mkdir(exist_ok=True)
    for name in PROGRAMS:
        program = folder / name
        program.write_text(f'#!/bin/sh\n[ "$1" = ps ] && exit\n{otherwise}\n')
        program.chmod(0o755)
    return f"{folder}:{os.environ['PATH']}"
