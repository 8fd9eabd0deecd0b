"""Each script, whole, passes what the NixOS test driver asks of it before it runs; without root."""

import json
import subprocess
import sys

import pytest

from tests.system import driver, nixos
from tests.system.rootfs import ROOT

# As nixpkgs has them in nixos/lib/testing/driver.nix, but for what is only about looks.
MYPY = [sys.executable, "-m", "mypy", "--config-file=", "--no-implicit-optional"]
RUFF = [
    sys.executable,
    "-m",
    "ruff",
    "check",
    "--isolated",
    "--select=F",
    "--output-format=concise",
]

TYPES = """
from tests.system.nixos import QemuMachine, start_all, subtest
"""
UNDEFINED = """
with subtest("a name that is nowhere"):
    machine.succeed(nowhere)
"""
WRONG_TYPE = """
with subtest("a number where a command is wanted"):
    machine.wait_until_succeeds(5)
"""
ONLY_NIXOS = """
with subtest("what only one of the hosts has"):
    machine.wait_for_console_text("login")
"""


def hosts(name):
    return driver.SCENARIOS.get(name, {}).get("hosts", ["machine"])


def lint(name, script):
    """Return what ruff says by the rules of pyflakes."""
    names = json.dumps([*nixos.GLOBALS, *hosts(name)])
    command = [*RUFF, "--config", f"builtins = {names}", "-"]
    return said(command, input=script)


def types(name, script, folder):
    """Return what mypy says when the script has types in front of it."""
    file = folder / "script.py"
    hints = "\n".join(f"{host}: QemuMachine" for host in hosts(name))
    file.write_text(f"{TYPES}{hints}\n{script}")
    return said([*MYPY, f"--cache-dir={folder / 'cache'}", str(file)])


def said(command, **options):
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, **options)
    assert done.returncode in (0, 1), done.stderr
    return "" if done.returncode == 0 else done.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("scripts")


@pytest.mark.parametrize("name", driver.scenarios())
def test_the_nixos_driver_would_take_the_script(name, folder):
    script = driver.script(name, is_long=False)
    assert lint(name, script) == ""
    assert types(name, script, folder) == ""


def test_the_docs_tell_of_each_scenario():
    page = (ROOT / "docs/system-tests.md").read_text()
    told = [line.split("`")[1] for line in page.splitlines() if line.startswith("| `")]
    assert sorted(told) == driver.scenarios()


def test_it_would_not_take_a_mistake(folder):
    script = driver.script("app", is_long=False)
    assert "F821 Undefined name `nowhere`" in lint("app", script + UNDEFINED)
    assert "F821 Undefined name `attacker`" in lint("app", script + "attacker.start()\n")
    assert 'has incompatible type "int"; expected "str"' in types(
        "app", script + WRONG_TYPE, folder
    )
    assert '"QemuMachine" has no attribute' in types("app", script + ONLY_NIXOS, folder)


def test_machines_of_this_host_have_the_same_interface(folder):
    file = folder / "interface.py"
    file.write_text(
        "from tests.system.machine import Machine\n"
        "from tests.system.nixos import QemuMachine\n"
        "def same(machine: Machine) -> QemuMachine:\n"
        "    return machine\n"
    )
    assert said([*MYPY, f"--cache-dir={folder / 'cache'}", str(file)]) == ""
