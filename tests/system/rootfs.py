"""What hosts boot from: a Debian with systemd, podman and the program's dependencies.

It is made once, from the mirror that this machine has its Debian from, and kept in the user's cache
folder under a name that says what it was made of. With it come the images of mempool's containers.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

from tests import debian

ROOT = Path(__file__).resolve().parents[2]
IMAGES = ROOT / "nix" / "images"

# systemd 258 and later know nothing of cgroups v1, by whose controllers limits are enforced where
# the machine has them.
SUITE = "trixie"
PACKAGES = (
    "systemd systemd-sysv dbus udev libpam-systemd iproute2 procps iputils-ping curl "
    "ca-certificates python3 python3-venv util-linux e2fsprogs kmod nftables iptables "
    "netcat-openbsd podman crun netavark aardvark-dns conmon catatonit openssl mariadb-server"
)
TOOLS = ("ip", "losetup", "mkfs.ext4", "mmdebstrap", "nsenter", "setpriv", "unshare")
"""What this machine needs for them."""

SECONDS = 900

VENV = "/opt/utxoracle"
UNAVAILABLE = 77
"""Exit status when this machine can't do it, which has been told in a line."""

IMAGE_STORE = "/usr/lib/images"
"""Where a host finds the containers' images: a store of podman's that it only reads."""


class RootUnavailable(Exception):
    """Raised when it can't be had here; the message is one line that says why."""


def root() -> Path:
    """Return a folder with the root of a host, which is made if need be.

    Raises:
        RootUnavailable: It can't be made here.
    """
    if os.getuid() != 0:
        raise RootUnavailable("hosts with a systemd of their own want root: use sudo")
    missing = [tool for tool in TOOLS if not shutil.which(tool)]
    if missing:
        raise RootUnavailable(f"hosts want {', '.join(missing)}: install what has them")
    _run("unshare", "-pmuinC", "--fork", "losetup", "--find")
    place = cache() / f"root-{_key(SUITE, PACKAGES, *_dependencies())}"
    make_once(place, _fill)
    return place


def cache() -> Path:
    """Return the folder that all of this is in."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "utxoracle" / "system"


def image_store(base: Path) -> Path:
    """Return where the images that are made from a root are, or are to be made."""
    files = sorted(path for path in IMAGES.rglob("*") if path.is_file())
    content = (part for path in files for part in (str(path.relative_to(IMAGES)), path.read_text()))
    return cache() / f"images-{_key(base.name, *content)}"


def make_once(place: Path, fill: Callable[[Path], None]) -> None:
    """Make a folder that is there when it is whole; whoever wants it meanwhile waits."""
    cache().mkdir(parents=True, exist_ok=True)
    with place.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if place.exists():
            return
        made = place.with_suffix(".new")
        if made.exists():
            shutil.rmtree(made)
        made.mkdir()
        fill(made)
        made.rename(place)


def layer(base: Path, place: Path) -> None:
    """Install the program of this checkout over a root: `place` becomes what that changes.

    Raises:
        RootUnavailable: pip failed.
    """
    wheels, merged = place.with_name("wheels"), place.with_name("merged")
    # Both are among the development tools: what builds it needn't be downloaded again.
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    _run(*pip, "--wheel-dir", str(wheels), str(ROOT))
    (wheel,) = wheels.glob("*.whl")
    work = place.with_name("work")
    for folder in (place, work, merged):
        folder.mkdir()
    over = f"lowerdir={base},upperdir={place},workdir={work}"
    _run("mount", "-t", "overlay", "overlay", "-o", over, str(merged))
    try:
        shutil.copy(wheel, merged / "tmp")
        _in(merged, f"{VENV}/bin/pip", "install", "--quiet", "--no-deps", f"/tmp/{wheel.name}")
        (merged / "tmp" / wheel.name).unlink()
    finally:
        _run("umount", str(merged))
    shutil.rmtree(wheels)


def _fill(root: Path) -> None:
    _say(f"makes a Debian {SUITE} for the hosts, once, in {root.parent}")
    _debian(root)
    _packages(root)


def _debian(root: Path) -> None:
    mirror = debian.mirror()
    _run(
        "mmdebstrap",
        "--quiet",
        "--variant=apt",
        f"--include={','.join(PACKAGES.split())}",
        '--aptopt=APT::Install-Recommends "false"',
        # The clock of a test machine may be ahead of the mirror's dates.
        '--aptopt=Acquire::Check-Valid-Until "false"',
        "--dpkgopt=path-exclude=/usr/share/man/*",
        "--dpkgopt=path-exclude=/usr/share/doc/*",
        f"--keyring={debian.KEYRING}",
        SUITE,
        str(root),
        mirror,
    )
    # Debian's own would run beside the one in the container, and clean up behind itself.
    for unit in ("mariadb.service", "podman.socket", "podman-auto-update.timer"):
        (root / f"etc/systemd/system/{unit}").unlink(missing_ok=True)
        (root / f"etc/systemd/system/{unit}").symlink_to("/dev/null")


def _packages(root: Path) -> None:
    """Install what the program needs into a virtual environment in the root."""
    _in(root, "python3", "-m", "venv", VENV)
    wheels = root / "tmp/wheels"
    # By this machine's pip, which knows where packages come from here.
    found = next(root.glob(f"{VENV[1:]}/lib/python3.*")).name.removeprefix("python")
    pip = [sys.executable, "-m", "pip", "download", "--quiet", f"--python-version={found}"]
    _run(*pip, "--only-binary=:all:", f"--dest={wheels}", *_dependencies())
    pip = [f"{VENV}/bin/pip", "install", "--quiet", "--no-index", "--find-links=/tmp/wheels"]
    _in(root, *pip, *_dependencies())
    shutil.rmtree(wheels)


def _in(root: Path, *command: str) -> None:
    """Run a command in a root that isn't booted."""
    script = 'mount --rbind /dev "$0/dev"; mount -t proc proc "$0/proc"; exec chroot "$0" "$@"'
    _run("unshare", "--mount", "--propagation=private", "bash", "-ec", script, str(root), *command)


def _dependencies() -> list[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return list(project["dependencies"])


def _key(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]


def _say(what: str) -> None:
    print(f"tests.system: {what}", file=sys.stderr, flush=True)


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=SECONDS)
    if done.returncode != 0:
        raise RootUnavailable(f"{command[0]} failed: {_last(done.stderr)}")
    return done.stdout


def _last(said: str) -> str:
    lines = [line for line in said.splitlines() if line.strip()]
    return lines[-1] if lines else "it said nothing"


if __name__ == "__main__":
    try:
        root()
    except RootUnavailable as error:
        print(error, file=sys.stderr)
        sys.exit(UNAVAILABLE)
