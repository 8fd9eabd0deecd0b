"""The documentation names everything there is, and its examples run."""

import os
import re
import shlex
import signal
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import click
import pytest

from tests import old_tree
from tests.containers import without_containers
from utxoracle.cli.program import COMMANDS, cli
from utxoracle.errors import INTERRUPTED, UtxoracleError
from utxoracle.settings import Settings
from utxoracle.simulation.chain import SimulatedChain
from utxoracle.simulation.options import SimulationOptions
from utxoracle.simulation.server import SimulationServer

ROOT = Path(__file__).resolve().parents[2]
USAGE = (ROOT / "docs" / "usage.md").read_text()
SOURCES = (ROOT / "docs" / "sources.md").read_text()
README = (ROOT / "README.md").read_text()
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")])
PLACES = ("127.0.0.1:8999", "127.0.0.1:8332", "127.0.0.1:18443")
COOKIE = "/path/.cookie"
CLI = {name: cli.get_command(click.Context(cli), name) for name in COMMANDS}


def shell_lines(text: str) -> list[str]:
    blocks = re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.splitlines()]


def help_examples() -> list[str]:
    return [
        line.strip()
        for command in CLI.values()
        for line in (command.help or "").partition("Examples:")[2].splitlines()
        if line.strip()
    ]


EXAMPLES = {
    "readme": [line for line in shell_lines(README) if line.startswith("utxoracle ")],
    "usage": [line for line in shell_lines(USAGE) if line.startswith("utxoracle ")],
    "sources": [line for line in shell_lines(SOURCES) if line.startswith("utxoracle ")],
    "help": help_examples(),
}


@pytest.mark.parametrize("name", CLI)
def test_every_command_has_help_with_examples_and_a_chapter(name):
    command = CLI[name]
    assert command.short_help
    assert f"utxoracle {name}" in (command.help or "").partition("Examples:")[2]
    assert f"## `utxoracle {name}`" in USAGE


@pytest.mark.parametrize("name", CLI)
def test_every_option_is_described(name):
    chapter = USAGE.partition(f"## `utxoracle {name}`")[2]
    for parameter in CLI[name].params:
        if isinstance(parameter, click.Argument):
            assert f"`{parameter.metavar.partition('|')[0]}" in chapter
            continue
        assert isinstance(parameter, click.Option)
        assert parameter.help
        for option in parameter.opts:
            assert f"`{option}" in USAGE, f"{name} {option}"


def test_every_setting_and_its_default_is_described():
    for setting in fields(Settings):
        variable = setting.metadata["variable"]
        row = next(line for line in USAGE.splitlines() if line.startswith(f"| `{variable}`"))
        default = row.split("|")[2].strip()
        if isinstance(setting.default, int | float):
            assert float(default) == setting.default


def test_every_exit_code_is_described():
    kinds = [UtxoracleError]
    for kind in kinds:
        kinds += kind.__subclasses__()
    for kind in kinds:
        assert f"| {kind.exit_code} |" in USAGE


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_and_every_file_that_a_page_names_is_there(page):
    text = page.read_text()
    for target in re.findall(r"\]\(([^)#]+)\)", text):
        assert target.startswith("https://") or (page.parent / target).exists(), target
    # What is called utxoracle/data and so on is on an owner's disk.
    for name in re.findall(
        r"`((?:docs|tests|bench|utxoracle)/(?!data|logs|config)[\w./-]+)`", text
    ):
        assert (ROOT / name).exists(), name


@pytest.mark.parametrize("page", EXAMPLES)
def test_every_example_runs(page, tmp_path):
    """Where an example names a node or a mempool stack, a simulated chain stands in for it."""
    old_tree.apps(tmp_path / "old")
    (tmp_path / "new").mkdir()
    # A real one is dumped elsewhere.
    dump = "-- MariaDB dump\nCREATE TABLE `a` (id INT);\n-- Dump completed on today"
    path = without_containers(tmp_path / "programs", f"echo '{dump}'")
    chain = SimulatedChain(SimulationOptions.parse("days=2,transactions=30"))
    cookie = tmp_path / "cookie"
    cookie.write_text("user:password")
    assert EXAMPLES[page]
    with SimulationServer(chain) as server:
        place = server.url.removeprefix("http://")
        for example in EXAMPLES[page]:
            line = example.replace(COOKIE, str(cookie))
            # Others may be listening on the port that is named, or on the usual one.
            line += " --port 0" if serves(line) or line == "utxoracle demo" else ""
            for stood_for in PLACES:
                line = line.replace(stood_for, place)
            run_example(line, tmp_path, path)


def serves(line: str) -> bool:
    """Tell whether a command goes on until it is interrupted."""
    return "--serve" in line or line.startswith("utxoracle serve")


def run_example(line: str, folder: Path, path: str) -> None:
    command = [sys.executable, "-m", *shlex.split(line)]
    environment = os.environ | {
        "UTXORACLE_NETWORK": "regtest",
        "XDG_DATA_HOME": str(folder / "share"),
        "XDG_STATE_HOME": str(folder / "state"),
        "PATH": path,
    }
    # Nothing is set up here as a service would be.
    expected = {0, 1} if line.startswith("utxoracle doctor") else {0}
    with subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline(), line
        if serves(line):
            process.send_signal(signal.SIGINT)
        elif line.startswith("utxoracle demo"):
            # What it does takes a while, and is tested elsewhere.
            process.send_signal(signal.SIGINT)
            # Interrupted in the middle of a class that is made from text, as dataclasses are,
            # Python ends by the signal itself, which is the same to a shell.
            expected |= {INTERRUPTED, -signal.SIGINT}
        process.stdout.read()
        assert process.wait(timeout=60) in expected, line
