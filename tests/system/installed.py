"""A golden configuration, installed as NixOS would do it: a layer of files over a host's root."""

import re
from pathlib import Path

from tests.nix.golden import kept
from tests.nix.placing import PLACE, placed_text
from tests.system.rootfs import IMAGE_STORE, VENV

GUEST = Path(__file__).with_name("guest")
STORE = "/nix/store"
UNITS = "etc/systemd/system"
CONFIGURATIONS = "usr/lib/configurations"
"""Where a host finds those that it can switch to."""

LABEL = "nvme"
"""Of the disk's file system, in the configuration. All hosts of this machine see each other's
disks, so each host's has a label of its own instead."""

_OWN = ("simulated-node", "webhook", "owner-secrets")
"""What stands in for the world around the appliance: a program and a unit each."""


class Layer:
    """Files over a host's root.

    Args:
        base: The root.
        folder: The layer, which is made.
        label: Of the file system on the host's disk.
    """

    def __init__(self, base: Path, folder: Path, label: str) -> None:
        self._base, self._folder, self._label = base, folder, label
        self._stored: set[str] = set()

    def install(self, case: str) -> None:
        """Write what the module makes of a configuration, and the world around the appliance."""
        files = kept(case)
        for path, text in files.items():
            kind, _, name = path.partition("/")
            if kind == "systemd":
                self._write(f"{UNITS}/{name}", text)
            elif kind == "scripts":
                self._write(f"{STORE}/unit-script-{name}/bin/{name}", text, 0o755)
            elif kind == "etc":
                self._write(f"etc/{name}", text)
                # There it is named by what is to be restarted when it changes.
                self._write(f"{STORE}/{Path(name).name}", text)
            elif kind == "bin":
                self._write(
                    f"usr/local/bin/{name}", f"#!/bin/bash\nset -euo pipefail\n{text}", 0o755
                )
        parts = machine(files["machine.txt"])
        self._accounts(parts)
        self._write("etc/fstab", "".join(f"{line} 0 2\n" for line in parts["file systems"]))
        self._write("etc/tmpfiles.d/utxoracle.conf", "\n".join(parts["tmpfiles"]) + "\n")
        self._firewall(parts)
        self._world()
        for link in parts["links in /etc/systemd/system"]:
            self._link(f"{UNITS}/{link}", f"../{Path(link).name}")
        self._store()

    def _accounts(self, parts: dict[str, list[str]]) -> None:
        passwd, group = ((self._base / f"etc/{name}").read_text() for name in ("passwd", "group"))
        numbers = dict(line.split() for line in parts["groups"])
        for line in parts["users"]:
            name, uid, of = line.split()
            passwd += f"{name}:x:{uid}:{numbers[of]}::/var/empty:/usr/sbin/nologin\n"
        group += "".join(f"{name}:x:{gid}:\n" for name, gid in numbers.items())
        self._write("etc/passwd", passwd)
        self._write("etc/group", group)

    def _firewall(self, parts: dict[str, list[str]]) -> None:
        """Write what NixOS's firewall does with the configuration: refuse what isn't opened."""
        opened = [
            f"-p tcp --dport {port}" for port in parts["ports that the firewall opens to everyone"]
        ]
        for line in parts["ports that it opens on an interface"]:
            interface, protocol, port = line.split()
            opened.append(f"-i {interface} -p {protocol} --dport {port}")
        accepted = ["-i lo", "-m conntrack --ctstate ESTABLISHED,RELATED", "-p icmp", *opened]
        rules = [f"iptables -w -A nixos-fw {rule} -j ACCEPT" for rule in accepted]
        script = [
            "#!/bin/bash",
            "set -e",
            "iptables -w -N nixos-fw",
            *rules,
            "iptables -w -A nixos-fw -j DROP",
            "iptables -w -A INPUT -j nixos-fw",
            "ip6tables -w -P INPUT DROP",
            "ip6tables -w -A INPUT -i lo -j ACCEPT",
            *parts["rules of its own"],
        ]
        self._write("usr/local/bin/firewall", "\n".join(script) + "\n", 0o755)
        unit = (
            "[Unit]\nDescription=Firewall\nDefaultDependencies=false\nBefore=network-pre.target\n"
            "[Service]\nType=oneshot\nRemainAfterExit=true\nExecStart=/usr/local/bin/firewall\n"
        )
        self._write(f"{UNITS}/firewall.service", unit)
        self._link(f"{UNITS}/sysinit.target.wants/firewall.service", "../firewall.service")

    def _world(self) -> None:
        for name in _OWN:
            unit = (GUEST / f"{name}.service").read_text()
            wanted_by = re.findall(r"^WantedBy=(.*)$", unit, re.MULTILINE)[0]
            self._write(f"{UNITS}/{name}.service", unit)
            self._link(f"{UNITS}/{wanted_by}.wants/{name}.service", f"../{name}.service")
        for program in GUEST.iterdir():
            if program.suffix != ".service":
                self._write(f"usr/local/bin/{program.name}", program.read_text(), 0o755)
        self._write(
            "etc/systemd/system.conf.d/podman.conf",
            "[Manager]\nDefaultEnvironment=PODMAN_IGNORE_CGROUPSV1_WARNING=1\n",
        )
        # A store that is only read: each host has the images from its first second on.
        self._write(
            "etc/containers/storage.conf",
            '[storage]\ndriver = "overlay"\nrunroot = "/run/containers/storage"\n'
            'graphroot = "/var/lib/containers/storage"\n'
            f'[storage.options]\nadditionalimagestores = ["{IMAGE_STORE}"]\n',
        )

    def _store(self) -> None:
        """Put programs where the store has them."""
        own = {path.name for path in self._folder.glob("nix/store/*")}
        for name in sorted(self._stored - own):
            if name == "utxoracle":
                self._link(f"{STORE}/{name}/bin", f"{VENV}/bin")
            elif name == "python":
                # A link would be a Python without the virtual environment.
                wrapper = f'#!/bin/sh\nexec {VENV}/bin/python "$@"\n'
                self._write(f"{STORE}/{name}/bin/python", wrapper, 0o755)
            else:
                self._link(f"{STORE}/{name}/bin", "/usr/local/bin" if name in _OWN else "/usr/bin")
                self._link(f"{STORE}/{name}/lib", "/usr/lib")

    def _write(self, path: str, text: str, mode: int = 0o644) -> None:
        self._stored.update(found[1] for found in PLACE.finditer(text))
        text = self._labelled(text)
        place = self._folder / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(placed_text(text, Path(STORE)))
        place.chmod(mode)

    def _labelled(self, text: str) -> str:
        for before in ("by-label/", r"by\x2dlabel-"):
            text = text.replace(f"{before}{LABEL}", f"{before}{self._label}")
        return text

    def _link(self, path: str, target: str) -> None:
        place = self._folder / self._labelled(path.lstrip("/"))
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(target)


def machine(text: str) -> dict[str, list[str]]:
    """Return the parts of a golden machine.txt: lines by their heading."""
    parts: dict[str, list[str]] = {}
    for line in text.splitlines():
        if line.startswith("# "):
            parts[line[2:].partition(":")[0]] = found = []
        elif line:
            found.append(line)
    return parts
