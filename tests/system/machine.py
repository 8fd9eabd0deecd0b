"""A host with the interface of the NixOS test driver's machines, as far as scenarios use it.

https://nixos.org/manual/nixos/stable/#ssec-machine-objects
"""

import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tests.system.namespaces import Host, Switch

SECONDS = 900
_BEGIN = time.monotonic()
IMAGE = "disk.img"
IMAGE_BYTES = 4 << 30


class RequestedAssertionFailed(Exception):
    """Raised when a command ends otherwise than a scenario wants it to."""


class Machine:
    """One host of a scenario.

    Args:
        host: It.
        switch: What its network card is connected to.
        address: Its address there.
        label: Of the file system on its disk; None for a host without a disk.
    """

    def __init__(self, host: Host, switch: Switch, address: str, label: str | None) -> None:
        self.name = host.name
        self.state_dir = host.state
        """Where its disk's image is, among others."""
        self._host, self._switch, self._address = host, switch, address
        self._label = label

    def start(self) -> None:
        """Boot, unless it is on."""
        if self._host.pid is not None:
            return
        self._host.state.mkdir(exist_ok=True)
        if self._label is not None:
            self._plug_in(self._label)
        self._host.start()
        self._switch.plug(self._host, self._address)
        self.log("is on")

    def _plug_in(self, label: str) -> None:
        folder = self._host.state / "nvme"
        folder.mkdir(exist_ok=True)
        if not any(folder.iterdir()):
            # Nobody but root reads a disk.
            (folder / IMAGE).touch(mode=0o600)
            with (folder / IMAGE).open("wb") as file:
                file.truncate(IMAGE_BYTES)
            subprocess.run(["mkfs.ext4", "-q", "-L", label, str(file.name)], check=True)
        # One that was pulled out has another name.
        if (folder / IMAGE).exists():
            subprocess.run(["losetup", "--find", str(folder / IMAGE)], check=True)

    def execute(
        self,
        command: str,
        check_return: bool = True,
        check_output: bool = True,
        timeout: float | None = SECONDS,
    ) -> tuple[int, str]:
        """Run a command, and return its exit status and what it printed on standard output."""
        self.start()
        done = subprocess.run(
            self._host.command("bash", "-c", f"set -euo pipefail; {command}"),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=timeout,
        )
        for line in done.stderr.splitlines():
            self.log(f"  {line}")
        return done.returncode, done.stdout

    def succeed(self, *commands: str, timeout: float | None = SECONDS) -> str:
        """Run commands that must succeed, and return what they printed."""
        return "".join(self._run(command, timeout, want_success=True) for command in commands)

    def fail(self, *commands: str, timeout: float | None = SECONDS) -> str:
        """Run commands that must fail, and return what they printed."""
        return "".join(self._run(command, timeout, want_success=False) for command in commands)

    def _run(self, command: str, timeout: float | None, *, want_success: bool) -> str:
        self.log(f"{'must succeed' if want_success else 'must fail'}: {command}")
        status, output = self.execute(command, timeout=timeout)
        if (status == 0) != want_success:
            raise RequestedAssertionFailed(
                f"{self.name}: `{command}` ended with {status}\n{output.strip()}"
            )
        return output

    def command(self, *words: str) -> list[str]:
        """Return a command of this machine that runs another one on the host."""
        return self._host.command(*words)

    def systemctl(self, q: str, user: str | None = None) -> tuple[int, str]:
        """Run systemctl with some arguments."""
        assert user is None, "there are no user managers here"
        return self.execute(f"systemctl {q}")

    def wait_for_unit(self, unit: str, user: str | None = None, timeout: int = SECONDS) -> None:
        """Wait until a unit is active; fail at once when it has failed, or nobody starts it."""

        def is_active() -> bool:
            state = self.execute(f"systemctl show --value --property=ActiveState -- {unit}")[1]
            if state.strip() == "failed":
                raise RequestedAssertionFailed(f"{self.name}: {unit} has failed")
            if state.strip() == "inactive":
                jobs = self.systemctl("list-jobs --full")[1]
                if "No jobs" in jobs:
                    again = self.execute(f"systemctl is-active -- {unit} || true")[1]
                    if again.strip() == "inactive":
                        raise RequestedAssertionFailed(
                            f"{self.name}: {unit} is inactive, and there are no pending jobs"
                        )
            return state.strip() == "active"

        assert user is None, "there are no user managers here"
        self.log(f"waits for unit {unit}")
        self._retry(is_active, timeout, f"unit {unit}")

    def wait_for_open_port(
        self, port: int, addr: str = "localhost", timeout: int = SECONDS
    ) -> None:
        """Wait until something listens."""
        self.log(f"waits for port {port} of {addr}")
        command = f"nc -z {addr} {port} 2>/dev/null"
        self._retry(lambda: self.execute(command)[0] == 0, timeout, f"port {port} of {addr}")

    def wait_until_succeeds(self, command: str, timeout: int = SECONDS) -> str:
        """Run a command again and again until it succeeds, and return what it printed."""
        self.log(f"waits for success: {command}")
        return self._until(command, timeout, want_success=True)

    def wait_until_fails(self, command: str, timeout: int = SECONDS) -> str:
        """Run a command again and again until it fails, and return what it printed."""
        self.log(f"waits for failure: {command}")
        return self._until(command, timeout, want_success=False)

    def _until(self, command: str, timeout: int, *, want_success: bool) -> str:
        output = ""

        def is_so() -> bool:
            nonlocal output
            status, output = self.execute(command, timeout=timeout)
            return (status == 0) == want_success

        self._retry(is_so, timeout, f"`{command}`, which last said: {output}")
        return output

    def _retry(self, is_so: Callable[[], bool], timeout: int, what: str) -> None:
        end = time.monotonic() + timeout
        while not is_so():
            if time.monotonic() > end:
                raise RequestedAssertionFailed(
                    f"{self.name}: waited {timeout} s in vain for {what}"
                )
            time.sleep(0.2)

    def shutdown(self) -> None:
        """Shut down cleanly."""
        if self._host.pid is not None:
            self.log("shuts down")
            self._host.shut_down(SECONDS)
            self._pull_out()

    def crash(self) -> None:
        """Take its power: what its disk wasn't told to keep is lost."""
        if self._host.pid is not None:
            self.log("loses its power")
            mounted = self._host.path("/proc/1/mounts").read_text()
            for place in {
                line.split()[1] for line in mounted.splitlines() if line.startswith("/dev/loop")
            }:
                entered = self._host.command("drop-writes", place)
                subprocess.run(entered, check=False, stderr=subprocess.DEVNULL)
            self._host.cut()
            self._pull_out()

    def _pull_out(self) -> None:
        for image in self._host.state.glob("nvme/*"):
            free_loop_devices(image)

    def block(self) -> None:
        """Unplug its network cable."""
        self._switch.set_link(self._host, "down")

    def unblock(self) -> None:
        """Plug its network cable in again."""
        self._switch.set_link(self._host, "up")

    def copy_from_host(self, source: str, target: str) -> None:
        """Copy a file or a folder of this machine to the host."""
        self.start()
        place = self._host.path(target)
        place.parent.mkdir(parents=True, exist_ok=True)
        if Path(source).is_dir():
            shutil.copytree(source, place, dirs_exist_ok=True)
        else:
            shutil.copy(source, place)

    def log(self, msg: str) -> None:
        """Say something in the log of the test."""
        print(f"{time.monotonic() - _BEGIN:6.1f} {self.name}: {msg}", file=sys.stderr, flush=True)


def free_loop_devices(image: Path) -> None:
    """Detach what is attached to an image."""
    found = subprocess.run(
        ["losetup", "--noheadings", "--output", "NAME", "--associated", str(image)],
        check=True,
        capture_output=True,
        text=True,
    )
    for device in found.stdout.split():
        subprocess.run(["losetup", "--detach", shlex.quote(device)], check=True)
