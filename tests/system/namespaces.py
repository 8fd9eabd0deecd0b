"""Hosts and the switch between them, in namespaces of this machine.

A host is a systemd that is process 1 of its own process, mount, network and cgroup namespaces. What
it keeps when it is off is in one folder.
"""

import os
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

BOOT = Path(__file__).with_name("boot.sh")
SECONDS = 60

_CGROUPS = Path("/sys/fs/cgroup")
_CONTROLLERS = ("memory", "pids", "cpu", "cpuacct", "devices", "blkio", "freezer")
_V1 = [name for name in _CONTROLLERS if (_CGROUPS / name).is_dir()]
"""Cgroups v1's, where the machine has them: those of v2 have no controllers then."""

_PREFIX = "utxoracle-"

_ENTER = ["--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup", "--root", "--wd"]
_ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "LANG": "C.UTF-8",
    "SYSTEMD_PAGER": "",
    "PODMAN_IGNORE_CGROUPSV1_WARNING": "1",
}


class BootFailed(Exception):
    """Raised when a host doesn't come up; the message has what it said."""


class Host:
    """One host, on or off.

    Args:
        name: Its name, for itself and for others.
        lower: Folders that its root is made of, the uppermost first.
        images: A store of podman's.
        state: A folder for all that it keeps when it is off.
        group: Distinguishes its cgroups from those of all other runs.
    """

    def __init__(self, name: str, lower: list[Path], images: Path, state: Path, group: str) -> None:
        self.name = name
        self.state = state
        self.pid: int | None = None
        """Of its process 1, while it is on."""
        self._lower, self._images = lower, images
        unified = _CGROUPS / "unified"
        trees = [_CGROUPS / "systemd", *(_CGROUPS / each for each in _V1)] if _V1 else []
        trees.append(unified if unified.is_dir() else _CGROUPS)
        self._cgroups = [tree / f"{_PREFIX}{group}-{name}" for tree in trees]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Boot, and return when systemd takes orders.

        Raises:
            BootFailed: It doesn't within a minute.
        """
        self.state.mkdir(exist_ok=True)
        for cgroup in self._cgroups:
            cgroup.mkdir(exist_ok=True)
        environment = {
            "PATH": os.environ["PATH"],
            "NAME": self.name,
            "LOWER": ":".join(map(str, self._lower)),
            "STATE": str(self.state),
            "IMAGES": str(self._images),
            "CONTROLLERS": " ".join(_V1),
            "CGROUPS": " ".join(map(str, self._cgroups)),
        }
        # Without these words systemd 257 doesn't use cgroups of v1.
        v1 = ["SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE=1", "systemd.unified_cgroup_hierarchy=0"]
        legacy = v1 if _V1 else []
        join = 'for each in $CGROUPS; do echo $$ >"$each/cgroup.procs"; done; exec "$@"'
        unshare = ["unshare", "-pmuinC", "--fork", "--kill-child", "--propagation", "private"]
        log = (self.state / "boot.log").open("wb")
        self._process = subprocess.Popen(
            ["bash", "-ec", join, "join", *unshare, "bash", str(BOOT), "--system", *legacy],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        log.close()
        try:
            self.pid = self._systemd(time.monotonic() + SECONDS)
        except BootFailed:
            self.cut()
            raise

    def _systemd(self, end: float) -> int:
        assert self._process is not None
        parent = self._process.pid
        children = Path(f"/proc/{parent}/task/{parent}/children")
        while self._process.poll() is None and time.monotonic() < end:
            for pid in children.read_text().split():
                place = Path(f"/proc/{pid}")
                if (place / "comm").read_text().strip() == "systemd" and (
                    place / "root/run/systemd/private"
                ).exists():
                    return int(pid)
            time.sleep(0.02)
        raise BootFailed(f"{self.name} doesn't boot: {(self.state / 'boot.log').read_text()}")

    def path(self, place: str) -> Path:
        """Return where a file of the host is, while it is on."""
        return Path(f"/proc/{self.pid}/root{place}")

    def command(self, *words: str) -> list[str]:
        """Return a command that runs another one on the host."""
        assert self.pid is not None
        return command_on(self.pid, *words)

    def shut_down(self, seconds: float) -> None:
        """Let it shut down, and return when it is off."""
        assert self.pid is not None
        # What systemd calls poweroff.
        os.kill(self.pid, signal.SIGRTMIN + 4)
        self._wait(seconds)

    def cut(self) -> None:
        """Take its power: everything in it is gone at once."""
        if self._process is None:
            return
        # unshare doesn't end by SIGTERM; with its process 1, all others of the namespace end.
        for pid in (self.pid, self._process.pid):
            if pid is not None:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        thaw_cgroups(self._cgroups)
        self._wait(SECONDS)

    def _wait(self, seconds: float) -> None:
        assert self._process is not None
        self._process.wait(seconds)
        self._process, self.pid = None, None
        remove_cgroups(self._cgroups)


class Switch:
    """A switch without an uplink: a bridge in a network namespace of its own."""

    def __init__(self) -> None:
        script = (
            "ip link add br0 type bridge; ip link set br0 up; ip link set lo up;"
            " echo ready; exec sleep infinity >/dev/null"
        )
        self._process = subprocess.Popen(
            ["unshare", "--net", "--kill-child", "--fork", "sh", "-c", script],
            stdout=subprocess.PIPE,
        )
        assert self._process.stdout is not None
        self._process.stdout.readline()
        self._pid = self._process.pid
        children = Path(f"/proc/{self._pid}/task/{self._pid}/children")
        self._inside = int(children.read_text().split()[0])

    def plug(self, host: Host, address: str) -> None:
        """Give a host that is on a network card eth1, connected to this switch."""
        link = ["link", "add", f"to-{host.name}", "type", "veth", "peer", "name", "eth1"]
        # The kernel takes its time to clear up behind a host that is off.
        self._ip("link", "del", f"to-{host.name}", is_there=False)
        self._ip(*link, "netns", str(host.pid))
        self._ip("link", "set", f"to-{host.name}", "master", "br0", "up")
        script = f"ip address add {address}/24 dev eth1; ip link set eth1 up"
        subprocess.run(host.command("sh", "-c", script), check=True)

    def set_link(self, host: Host, state: str) -> None:
        """Take the link of a host up or down, as a cable is plugged in or out."""
        self._ip("link", "set", f"to-{host.name}", state)

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()

    def _ip(self, *words: str, is_there: bool = True) -> None:
        subprocess.run(
            ["nsenter", f"--target={self._inside}", "--net", "ip", *words],
            check=is_there,
            stderr=None if is_there else subprocess.DEVNULL,
        )


def command_on(pid: int, *words: str) -> list[str]:
    """Return a command that runs another one on the host whose process 1 is meant."""
    entered = ["nsenter", f"--target={pid}", *_ENTER]
    return [*entered, "env", "-i", *(f"{k}={v}" for k, v in _ENVIRONMENT.items()), *words]


def running(name: str) -> int | None:
    """Return process 1 of a host with this name, whoever runs it; None if there is none."""
    for tree in _trees():
        for scope in tree.glob(f"{_PREFIX}*-{name}/init.scope/cgroup.procs"):
            for pid in scope.read_text().split():
                return int(pid)
    return None


def thaw_cgroups(tops: list[Path]) -> None:
    """Let killed processes end that are frozen, as those of a paused container: v1's don't."""
    for top in tops:
        for folder, _names, files in os.walk(top):
            if "freezer.state" in files:
                with suppress(OSError):
                    Path(folder, "freezer.state").write_text("THAWED")


def remove_cgroups(tops: list[Path]) -> None:
    """Remove cgroups and all below them, once their processes are gone."""
    thaw_cgroups(tops)
    for _ in range(100):
        for top in tops:
            for folder, _names, _files in os.walk(top, topdown=False):
                with suppress(OSError):
                    Path(folder).rmdir()
        if not any(top.exists() for top in tops):
            return
        time.sleep(0.05)


def forgotten_cgroups(group: str) -> list[Path]:
    """Return the cgroups of all hosts of a group that ended without cleaning up."""
    return [path for tree in _trees() for path in tree.glob(f"{_PREFIX}{group}-*")]


def _trees() -> list[Path]:
    return [_CGROUPS, *(path for path in _CGROUPS.iterdir() if path.is_dir())]
