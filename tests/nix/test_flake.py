"""The flake: its outputs, its lock, and that what it names is there; nothing of nixpkgs is needed.

`stub-nixpkgs` stands in for it. So these tests find a name that is misspelt or a file that is not
there, and nothing that only the real packages or the real NixOS would find.
"""

import json
import os
import re
import shutil
import subprocess
import tomllib
from base64 import b64decode
from pathlib import Path

import pytest

from tests.system import driver
from utxoracle import __version__
from utxoracle.cli.program import COMMANDS

ROOT = Path(__file__).resolve().parents[2]
STUB = ROOT / "tests" / "nix" / "stub-nixpkgs"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
LOCK = json.loads((ROOT / "flake.lock").read_text())

RELEASE = "26.05"
SYSTEMS = ["aarch64-linux", "x86_64-linux"]
COMMAND_APPS = ["analyze", "backup", "demo", "doctor", "serve"]
IN_THE_FLAKE = [
    "flake.nix",
    "flake.lock",
    "nix",
    "nixos-module",
    "utxoracle",
    "tests",
    "docs",
    "README.md",
    "LICENSE",
    ".gitignore",
    "pyproject.toml",
    "hatch_build.py",
]

needs_nix = pytest.mark.skipif(
    shutil.which("nix-instantiate") is None, reason="no nix-instantiate: apt install nix-bin"
)


@pytest.fixture(scope="session")
def flake():
    """What `structure.nix` tells of the outputs."""
    command = "nix-instantiate --eval --strict --json --store dummy:// tests/nix/structure.nix"
    told = subprocess.run(
        command.split(),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 0, told.stderr
    return json.loads(told.stdout)


@needs_nix
def test_the_flake_has_every_output_on_every_system(flake):
    assert flake["outputs"] == [
        "apps",
        "checks",
        "devShells",
        "formatter",
        "legacyPackages",
        "nixosConfigurations",
        "nixosModules",
        "overlays",
        "packages",
        "templates",
    ]
    apps = sorted([*COMMAND_APPS, "default", "vm"])
    by_system = flake["perSystem"]
    for system in SYSTEMS:
        assert by_system["packages"][system] == ["default", "options-doc", "utxoracle"]
        assert by_system["apps"][system] == apps
        assert by_system["devShells"][system] == ["default"]
    assert flake["formatter"] == dict.fromkeys(SYSTEMS, "nixfmt-tree")
    assert {tuple(systems) for systems in by_system.values()} == {tuple(SYSTEMS)}
    assert flake["others"] == {
        "nixosConfigurations": ["example", "vm-aarch64-linux", "vm-x86_64-linux"],
        "nixosModules": ["default", "utxoracle"],
        "overlays": ["default"],
        "templates": ["default"],
    }


@needs_nix
def test_the_light_vm_tests_are_checks_where_a_machine_may_have_kvm(flake):
    checks, vm_tests = flake["perSystem"]["checks"], flake["perSystem"]["vmTests"]
    everywhere = {"format", "options-doc", "package", "vm"}
    light = {name for name in driver.scenarios() if driver.SCENARIOS.get(name, {}).get("light")}
    assert {"app", "storage-guard"} <= light
    assert {*vm_tests["x86_64-linux"]} == {*vm_tests["aarch64-linux"]} == {*driver.scenarios()}
    assert set(checks["x86_64-linux"]) == everywhere | {"example"} | light
    assert set(checks["aarch64-linux"]) == everywhere


@needs_nix
@pytest.mark.parametrize("name", COMMAND_APPS)
def test_an_app_runs_a_command_that_is_there_and_passes_arguments_on(flake, name):
    assert re.fullmatch(rf'exec /\S+/bin/utxoracle {name} "\$@"\n', flake["apps"][name]["program"])
    assert name in COMMANDS


@needs_nix
def test_every_app_says_what_it_does(flake):
    for app in flake["apps"].values():
        assert app["type"] == "app"
        assert app["description"]
    assert flake["apps"]["default"]["program"].endswith("/bin/utxoracle")


@needs_nix
def test_every_package_check_and_shell_evaluates(flake):
    for derivations in flake["derivations"].values():
        assert derivations
        assert all(path.endswith(".drv") for path in derivations.values())


@needs_nix
def test_every_vm_test_runs_a_scenario_on_the_hosts_that_it_wants(flake):
    for name, test in flake["vmTests"].items():
        assert test["name"] == f"vm-test-run-utxoracle-{name}"
        assert test["driver"]
        assert test["testScript"] == driver.script(name, is_long=False)
        assert test["hosts"] == sorted(driver.SCENARIOS.get(name, {}).get("hosts", ["machine"]))


@needs_nix
def test_the_package_is_what_pyproject_says(flake):
    package, project = flake["package"], PROJECT["project"]
    assert package["name"] == f"utxoracle-{__version__}"
    assert package["description"] == project["description"]
    assert package["mainProgram"] in project["scripts"]
    assert package["dependencies"] == names_of(project["dependencies"])
    assert package["buildSystem"] == names_of(PROJECT["build-system"]["requires"])
    for path in package["disabledTestPaths"] + package["enabledTestPaths"]:
        assert (ROOT / path).exists(), path


@needs_nix
def test_the_package_has_an_interpreter_that_can_import_it(flake):
    package = flake["package"]
    assert package["python"] == {"name": "python3-env", "packages": [package["name"]]}


@needs_nix
def test_the_module_brings_the_package_and_a_host_may_name_another(flake):
    module = flake["module"]
    assert module["package"] == flake["overlay"] == flake["package"]["name"]
    assert module["priority"] == 1000, "not that of mkDefault"
    # So that errors name it, and a host that imports it twice has it once.
    assert (ROOT / module["_file"].removeprefix("/self/")).is_file()
    assert module["key"].startswith(module["_file"])


@needs_nix
def test_the_template_is_a_host(flake):
    assert flake["hosts"] == ["appliance"]


@needs_nix
def test_nix_itself_takes_the_flake(tmp_path):
    """All but its builds: `nix flake check --no-build`, with the stub in the place of nixpkgs."""
    copy = tmp_path / "flake"
    copy.mkdir()
    for name in IN_THE_FLAKE:
        if (ROOT / name).is_dir():
            ignored = shutil.ignore_patterns("__pycache__", "vendor")
            shutil.copytree(ROOT / name, copy / name, ignore=ignored)
        elif (ROOT / name).exists():
            shutil.copy(ROOT / name, copy)
    # A store of its own, which needs no daemon and no rights.
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path / "home"),
        "NIX_STORE_DIR": str(tmp_path / "store"),
        "NIX_STATE_DIR": str(tmp_path / "state"),
        "NIX_LOG_DIR": str(tmp_path / "log"),
        "NIX_CONF_DIR": str(tmp_path / "etc"),
    }
    features = ["--extra-experimental-features", "nix-command flakes"]
    stub = ["--override-input", "nixpkgs", f"path:{copy / STUB.relative_to(ROOT)}"]
    checked = subprocess.run(
        ["nix", *features, "flake", "check", "--no-build", *stub, f"path:{copy}"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stderr


def test_the_lock_holds_the_one_input_and_its_release():
    assert LOCK["version"] == 7
    assert LOCK["nodes"][LOCK["root"]] == {"inputs": {"nixpkgs": "nixpkgs"}}
    assert set(LOCK["nodes"]) == {"root", "nixpkgs"}
    (url,) = re.findall(r'^  inputs\.(nixpkgs\.url = "[^"]+");$', flake_nix(), re.MULTILINE)
    nixpkgs = LOCK["nodes"]["nixpkgs"]
    asked = nixpkgs["original"]
    assert url == 'nixpkgs.url = "{type}:{owner}/{repo}/{ref}"'.format(**asked)
    assert asked["ref"] == f"nixos-{RELEASE}"
    locked = nixpkgs["locked"]
    assert {key: locked[key] for key in ("owner", "repo", "type")} == {
        key: asked[key] for key in ("owner", "repo", "type")
    }
    assert set(locked) == {"lastModified", "narHash", "owner", "repo", "rev", "type"}
    assert re.fullmatch(r"[0-9a-f]{40}", locked["rev"])
    method, _, digest = locked["narHash"].partition("-")
    assert (method, len(b64decode(digest, validate=True))) == ("sha256", 32)


def test_all_that_names_a_release_of_nixpkgs_names_the_same():
    files = [ROOT / "flake.nix", *(ROOT / "nix").rglob("*.nix")]
    text = "".join(file.read_text() for file in files)
    assert set(re.findall(r'(?:nixos-|stateVersion = ")(\d\d\.\d\d)', text)) == {RELEASE}
    assert (ROOT / "tests" / f"nixpkgs-{RELEASE}.txt").is_file()


def test_flake_nix_stays_a_table_of_contents():
    assert len(flake_nix().splitlines()) <= 100


def flake_nix():
    return (ROOT / "flake.nix").read_text()


def names_of(requirements):
    return [re.match(r"[\w.-]+", requirement)[0] for requirement in requirements]
