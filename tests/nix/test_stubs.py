"""What is said of NixOS's options is said of all that the module and the stubs know."""

import re
from collections.abc import Iterator

from tests.nix.golden import MODULE
from tests.nix.library import HERE

PAGE = (HERE / "nixos-options.md").read_text()
STUBS = {path.name: path.read_text() for path in sorted((HERE / "stubs").glob("*.nix"))}

OF_MANY = (
    "environment.etc",
    "networking.firewall.interfaces",
    "networking.nftables.tables",
    "services.bitcoind",
    "systemd.services",
    "systemd.sockets",
    "systemd.targets",
    "systemd.timers",
    "systemd.tmpfiles.settings",
    "users.groups",
    "users.users",
    "virtualisation.oci-containers.containers",
)
"""Options that hold others under names of the configuration."""

ROOTS = re.compile(
    r"(?:(?<=config\.)|(?<![\w.-]))"
    r"(?:systemd\.(?:services|timers|sockets|targets|tmpfiles|mounts|slices|paths|units|package)"
    r"|networking|virtualisation|users\.(?:users|groups)|environment\.(?:etc|systemPackages)"
    r"|security|services\.bitcoind|boot|nixpkgs|system)"
    r'(?:\.(?:"[^"]*"|\$\{[^}]*\}|[\w@-]+))+|\bfileSystems\b'
)

OWN = {"flag", "option", "ports", "rendered", "scripts", "section", "serviceSection", "units"}
"""Helpers of the stubs, and what they say of themselves."""


def options_of_the_module() -> Iterator[str]:
    """Yield the names by which the module reaches NixOS's options."""
    for path in MODULE.rglob("*.nix"):
        for found in ROOTS.finditer(re.sub(r"(?m)#.*$", "", path.read_text())):
            yield generic(found[0])


def generic(name: str) -> str:
    for root in OF_MANY:
        if name.startswith(f"{root}."):
            rest = re.sub(r'^(?:"[^"]*"|\$\{[^}]*\}|[\w@-]+)', "<name>", name[len(root) + 1 :])
            return f"{root}.{rest}"
    return name


def is_told(name: str) -> bool:
    """Tell whether a name is on the page, by itself or as one of those below another."""
    if f"`{name}`" in PAGE or f"`{name}." in PAGE:
        return True
    above, _, last = name.rpartition(".")
    return bool(re.search(rf"`(?:….)?{re.escape(last)}`", PAGE)) and f"`{above}" in PAGE


def test_each_option_that_the_module_names_is_on_the_page():
    named = {*options_of_the_module()}
    assert {"services.bitcoind.<name>", "security.wrapperDir", "fileSystems"} <= named
    assert [name for name in sorted(named) if not is_told(name)] == []


def test_each_option_of_the_stubs_is_on_the_page():
    declared = re.compile(
        r"^ +([\w.-]+) =\s+(?:option|mkOption|units|words|section|serviceSection|ports|script|flag"
        r"|ofKind)\b(?!:| =)|^    (\w+) = \"[A-Z]\w+\";$",
        re.MULTILINE,
    )
    for name, text in STUBS.items():
        found = {(one or other).rpartition(".")[2] for one, other in declared.findall(text)} - OWN
        assert found, name
        for option in found:
            assert re.search(rf"`[^`]*\b{re.escape(option)}\b[^`]*`", PAGE), f"{name}: {option}"
