"""Runs a program of the tests so that nothing of it is left, however it ends.

It gets process and mount namespaces of its own, which end with it; what the kernel has beside them
(loop devices, cgroups) and its folder are removed behind it, or by the next that runs.
"""

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.system import rootfs
from tests.system.machine import free_loop_devices
from tests.system.namespaces import forgotten_cgroups, remove_cgroups

FOLDER = "SYSTEM_TEST_FOLDER"
"""Variable that tells the program its folder; the folder's name is its group."""

INTERRUPTED = 128 + signal.SIGINT

# When whoever called it is killed, so is all of it.
_NAMESPACES = ["setpriv", "--pdeathsig=KILL", "unshare", "--mount", "--propagation=private"]
_NAMESPACES += ["--pid", "--fork", "--kill-child", "--mount-proc"]


def run(*words: str) -> int:
    """Run a module with arguments, which are told as for `python -m`; return its exit status.

    An interrupt (SIGINT) is passed on, and so is SIGTERM as one.
    """
    try:
        rootfs.root()
    except rootfs.RootUnavailable as error:
        print(error, file=sys.stderr)
        return rootfs.UNAVAILABLE
    # What is started in the background of a script ignores interrupts, and so would the program.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with _folder() as folder:
        process = subprocess.Popen(
            [*_NAMESPACES, sys.executable, "-m", *words],
            env={**os.environ, FOLDER: str(folder)},
            # Or a terminal would interrupt it a second time.
            start_new_session=True,
        )

        def interrupt(*_: object) -> None:
            children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
            for pid in children.read_text().split():
                os.kill(int(pid), signal.SIGINT)

        for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(each, interrupt)
        return process.wait()


@contextmanager
def _folder() -> Iterator[Path]:
    """Give a folder that is locked as long as this process lives; remove those that aren't."""
    runs = rootfs.cache() / "runs"
    runs.mkdir(parents=True, exist_ok=True)
    with (runs / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for old in runs.iterdir():
            if old.is_dir() and not _is_used(old):
                _remove(old)
        folder = Path(tempfile.mkdtemp(prefix="", dir=runs))
        used = os.open(folder, os.O_RDONLY)
        fcntl.flock(used, fcntl.LOCK_EX)
    try:
        yield folder
    finally:
        _remove(folder)
        os.close(used)


def _is_used(folder: Path) -> bool:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _remove(folder: Path) -> None:
    for image in folder.glob("*/*/nvme/*"):
        free_loop_devices(image)
    remove_cgroups(forgotten_cgroups(folder.name))
    shutil.rmtree(folder)
