"""What the module makes of a configuration, as files that people can read."""

import re
from collections.abc import Iterator
from typing import Any

_STORE = re.compile(r"/nix/store/0{32}-([\w.+@-]+)")


def files(rendered: dict[str, Any]) -> dict[str, str]:
    """Return the files of a machine by their paths, with @name@ for the store's path of `name`."""
    found = {
        **{f"systemd/{name}": text for name, text in rendered["units"].items()},
        **{f"scripts/{name}": text for name, text in rendered["scripts"].items()},
        **{f"etc/{name}": text for name, text in rendered["etc"].items()},
        **{f"checks/{name}": text for name, text in rendered["checks"].items()},
        **{f"bin/{name}": text for name, text in rendered["commands"].items()},
        **{f"bitcoin/{name}.conf": text for name, text in rendered["bitcoin"].items()},
        "machine.txt": "\n".join(_machine(rendered)) + "\n",
    }
    return {path: _readable(text) for path, text in sorted(found.items())}


def _readable(text: str) -> str:
    return _STORE.sub(r"@\1@", text)


def _machine(rendered: dict[str, Any]) -> Iterator[str]:
    """Yield what a machine gets beside files: one line each, by kind."""
    yield "# users: name, uid, group"
    for name, user in rendered["users"].items():
        yield f"{name} {user['uid']} {user['group']}"
    yield "\n# groups: name, gid"
    yield from (f"{name} {gid}" for name, gid in rendered["groups"].items())
    yield "\n# ports that the firewall opens to everyone"
    yield from map(str, rendered["firewall"]["everyone"])
    yield "\n# ports that it opens on an interface"
    for name, opened in rendered["firewall"]["interfaces"].items():
        yield from (f"{name} tcp {port}" for port in opened["allowedTCPPorts"])
        yield from (f"{name} udp {port}" for port in opened["allowedUDPPorts"])
    yield "\n# rules of its own"
    yield from rendered["firewall"]["extraCommands"].splitlines()
    for name, table in rendered["firewall"]["tables"].items():
        yield from (f"table {table['family']} {name}", *table["content"].splitlines())
    yield "\n# rules that end with it"
    yield from rendered["firewall"]["extraStopCommands"].splitlines()
    yield "\n# ports of containers: container, address:port of the machine:port inside"
    for name, ports in rendered["published"].items():
        yield from (f"{name} {port}" for port in ports)
    yield "\n# images"
    yield from (f"{name} {image}" for name, image in rendered["images"].items())
    yield "\n# file systems"
    for path, one in rendered["fileSystems"].items():
        yield f"{one['device']} {path} {one['fsType']} {','.join(one['options'])}"
    yield "\n# tmpfiles"
    for rules in rendered["tmpfiles"].values():
        for path, kinds in rules.items():
            for kind, rule in kinds.items():
                yield f"{kind} {path} {rule['mode']} {rule['user']} {rule['group']} {rule['age']}"
    yield "\n# links in /etc/systemd/system"
    yield from sorted(rendered["links"])
    yield "\n# warnings"
    yield from rendered["warnings"]
