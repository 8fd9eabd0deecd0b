"""The pages about NixOS name what there is, and their Nix is accepted."""

import re
import shutil
import subprocess
from dataclasses import fields
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from tests.nix.golden import ROOT, kept
from tests.nix.library import LibraryUnavailable, evaluate, library
from utxoracle.settings import Settings

DOCS = ROOT / "docs"
PAGE = (DOCS / "nixos.md").read_text()

BLOCKS = [
    re.sub(f"^{indent}", "", block, flags=re.MULTILINE)
    for indent, block in re.findall(r"^( *)```nix\n(.*?)^\1```$", PAGE, re.MULTILINE | re.DOTALL)
]
(HOST,) = [block for block in BLOCKS if "./hardware-configuration.nix" in block]
FRAGMENTS = [block for block in BLOCKS if block != HOST and "outputs =" not in block]

OPTIONS = [
    name.replace("\\", "")
    for name in re.findall(
        r"^## services\.utxoracle\.(\S+)$", (DOCS / "options.md").read_text(), re.MULTILINE
    )
]
SETTINGS = [f"settings.{setting.metadata['variable']}" for setting in fields(Settings)]
"""Options that the module takes and no page of options lists."""

NIXOS = """
{ lib, ... }:
let
  anything = lib.mkOption { type = lib.types.anything; default = { }; };
in
{
  imports = [ ./configuration.nix ];
  options = {
    boot.loader = anything;
    networking.hostName = lib.mkOption { type = lib.types.str; default = "nixos"; };
    nix.settings = anything;
    security.acme = anything;
    services.nginx = anything;
    services.openssh.enable = lib.mkOption { type = lib.types.bool; default = false; };
    system.stateVersion = lib.mkOption { type = lib.types.str; default = "26.05"; };
    users.users = lib.mkOption {
      type = lib.types.attrsOf (lib.types.submodule { options.openssh = anything; });
    };
  };
  config.fileSystems."/mnt/nvme" = {
    device = lib.mkDefault "/dev/disk/by-label/nvme";
    fsType = lib.mkDefault "ext4";
  };
}
"""
"""What a NixOS has besides, of which the stubs know nothing, and the disk of the page."""

REST_OF_HOST = """
{ lib, ... }:
{
  imports = [ ./fragment.nix ];
  services.utxoracle = {
    enable = true;
    storage.base = lib.mkDefault "/mnt/nvme/prod/apps";
    mempool.enable = lib.mkDefault false;
    settings.UTXORACLE_SOURCE = lib.mkDefault "mempool+http://127.0.0.1:8999";
  };
}
"""


def machine(folder: Path, files: dict[str, str]) -> Path:
    """Write a configuration and return its file; the test is skipped where none is evaluated."""
    try:
        library()
    except LibraryUnavailable as error:
        pytest.skip(str(error))
    for name, text in {"nixos.nix": NIXOS, **files}.items():
        (folder / name).write_text(text)
    return folder / "nixos.nix"


def title(block: str) -> str:
    return re.sub(r"[^\w.]+", " ", block)[:60].strip()


@pytest.mark.parametrize("block", BLOCKS, ids=title)
def test_every_block_is_nix(block, tmp_path):
    if not shutil.which("nix-instantiate"):
        pytest.skip("there is no nix-instantiate here (Debian's nix-bin has it)")
    (tmp_path / "block.nix").write_text(block)
    command = ["nix-instantiate", "--parse", str(tmp_path / "block.nix")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_complete_host_is_accepted(tmp_path):
    hardware = '{ fileSystems."/" = { device = "/dev/disk/by-label/nixos"; fsType = "ext4"; }; }'
    files = {"configuration.nix": HOST, "hardware-configuration.nix": hardware}
    case = machine(tmp_path, files)
    assert evaluate(case, attribute="failed") == []
    made = evaluate(case, attribute="rendered")
    assert made["warnings"] == []
    assert "utxoracle-analyze.timer" in made["units"]
    assert "x-systemd.device-timeout=30s" in made["fileSystems"]["/mnt/nvme"]["options"]


@pytest.mark.parametrize("block", FRAGMENTS, ids=title)
def test_every_other_block_is_accepted_by_a_host(block, tmp_path):
    case = machine(tmp_path, {"configuration.nix": REST_OF_HOST, "fragment.nix": block})
    assert evaluate(case, attribute="failed") == []
    assert evaluate(case, attribute="rendered")["warnings"] == []


@pytest.mark.parametrize("page", ["nixos.md", "operations.md"])
def test_every_option_that_a_page_names_is_there(page):
    text = (DOCS / page).read_text()
    roots = {name.split(".")[0] for name in OPTIONS if "." in name}
    named = re.findall(r"services\.utxoracle\.([A-Za-z][\w.]*\w)", text)
    named += [
        name
        for name in re.findall(r"`([A-Za-z]+\.[\w.]*\w)(?: = [^`]*)?`", text)
        if name.split(".")[0] in roots and name != "bitcoin.conf"
    ]
    assert named or page != "nixos.md"
    for name in named:
        # A name may stand for all that are below it; of mempool's settings any may be there.
        known = any(f"{option}.".startswith(f"{name}.") for option in (*OPTIONS, *SETTINGS))
        assert known or name.startswith("mempool.settings."), name


def anchors(page: Path) -> set[str]:
    heads = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in heads}


def test_every_link_into_a_page_finds_its_chapter():
    for page, anchor in re.findall(r"\]\(([\w.]*)#([^)]+)\)", PAGE):
        assert anchor in anchors(DOCS / (page or "nixos.md")), f"{page}#{anchor}"


def rows(heading: str) -> list[list[str]]:
    """Return the cells of the table that has this first line."""
    lines = PAGE.partition(f"{heading}\n")[2].splitlines()[1:]
    table = lines[: next(at for at, line in enumerate(lines) if not line.startswith("|"))]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table]


def section(machine: str, heading: str) -> list[str]:
    return machine.partition(f"# {heading}")[2].partition("\n")[2].partition("\n\n")[0].splitlines()


def test_users_and_ports_are_those_of_the_module():
    machine = kept("local-bitcoind")["machine.txt"]
    users = {row[0].split("`")[1]: row[1] for row in rows("| user | id | owns |") if "`" in row[0]}
    for line in section(machine, "users: "):
        name, uid, _ = line.split()
        assert users.pop(name) == uid
    assert not users
    named = {
        int(port) for row in rows("| port | where | what |") for port in re.findall(r"\d+", row[0])
    }
    published = section(machine, "ports of containers") + section(
        kept("esplora")["machine.txt"], "ports of containers"
    )
    opened = section(machine, "ports that it opens on an interface")
    ports = {int(line.split(":")[1]) for line in published} | {int(o.split()[2]) for o in opened}
    assert named == {*ports, 8000}


@pytest.mark.parametrize(
    ("names", "user", "capabilities", "network"),
    [row[:4] for row in rows("| unit | user | capabilities | network | writes |")],
)
def test_units_may_what_the_page_says(names, user, capabilities, network):
    files = {**kept("own-disk"), **kept("local-bitcoind"), **kept("full")}
    owner = ["CHOWN", "DAC_READ_SEARCH", "FOWNER"]
    told = {"none": [""], "the same": owner, ", ".join(owner): owner}
    for name in re.findall(r"`(utxoracle[^`]*|podman[^`]*)`", names):
        found = [
            text for path, text in files.items() if fnmatchcase(path, f"systemd/{name}.service")
        ]
        assert found, name
        for text in found:
            # Those of podman's units are root's, without a word.
            bounded = re.findall(r"^CapabilityBoundingSet=(?:CAP_)?(.*)$", text, re.MULTILINE)
            assert bounded == told.get(capabilities, []), name
            assert user.replace("`", "").startswith(account(text)), name
            assert network.startswith("none") == ("PrivateNetwork=true" in text), name


def account(unit: str) -> str:
    if "DynamicUser=true" in unit:
        return "one of its own"
    named = re.search(r"^User=(.*)$", unit, re.MULTILINE)
    return named[1] if named else "root"
