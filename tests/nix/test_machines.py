"""The machines that the flake makes, as far as the module goes: what they set is accepted."""

from pathlib import Path

import pytest

from tests.nix.golden import kept
from tests.nix.library import evaluate
from tests.nix.rendering import files

ROOT = Path(__file__).resolve().parents[2]
IMAGES = ("backend", "db", "electrs", "frontend")

# Of each, what it says to the module, with what NixOS would have besides.
MACHINES = {
    "the host of the template": f"""
        let host = import {ROOT}/nix/templates/host/configuration.nix; in
        {{ config.services = {{ inherit (host.services) utxoracle; }}; }}
    """,
    "the VM to look at": f"""
        {{ config, lib, pkgs, ... }}@args:
        let
          vm = import {ROOT}/nix/nixosConfigurations/vm.nix (args // {{ modulesPath = ""; }});
        in
        vm // {{
          imports = [ {ROOT}/tests/nix/stubs/qemu-vm.nix ]
            ++ builtins.filter (one: !builtins.isString one) vm.imports;
        }}
    """,
    "the host of the scenarios": f"""
        {{ imports = [ {ROOT}/tests/nix/stubs/qemu-vm.nix {ROOT}/tests/vm/machine.nix ]; }}
    """,
}


@pytest.fixture
def rendered(evaluating, tmp_path):
    def render(name):
        module = tmp_path / "module.nix"
        module.write_text(MACHINES[name])
        assert evaluate(module, attribute="failed") == []
        return evaluate(module, attribute="rendered")

    return render


@pytest.mark.parametrize("name", MACHINES)
def test_the_module_takes_what_a_machine_says(name, rendered):
    assert rendered(name)["warnings"] == []


def test_the_host_of_the_scenarios_is_configured_as_that_of_the_system_tests(rendered):
    vm = rendered("the host of the scenarios")
    ours, theirs = files(vm), kept("system-tests")
    assert ours.keys() >= theirs.keys()
    differ = {path for path in theirs if ours[path] != theirs[path]}
    # Its images are loaded when their containers start, and not pulled from anywhere.
    assert differ == {
        "machine.txt",
        *(f"scripts/podman-mempool-{name}-pre-start" for name in IMAGES),
        *(f"systemd/podman-mempool-{name}.service" for name in IMAGES),
    }
    for name in IMAGES:
        path = f"systemd/podman-mempool-{name}.service"
        assert without_network(ours[path]) == without_network(theirs[path])
        load = f"podman load -i @mempool-{name}.tar@\n"
        assert load in ours[f"scripts/podman-mempool-{name}-pre-start"]
    # It has more links, for the world around, and a disk of its own.
    own = {
        "/dev/vda / ext4 defaults",
        "local-fs.target.wants/prepare-disk.service",
        "multi-user.target.wants/simulated-node.service",
        "multi-user.target.wants/webhook.service",
        "sysinit.target.wants/owner-secrets.service",
    }
    lines, known = (set(one["machine.txt"].splitlines()) for one in (ours, theirs))
    assert (lines - known, known - lines) == (own, set())


def test_the_vm_to_look_at_has_all_containers_and_a_page_for_the_machine_below(rendered):
    vm = rendered("the VM to look at")
    assert vm["images"] == {f"mempool-{name}": f"localhost/mempool-{name}:test" for name in IMAGES}
    (forwarded,) = vm["vm"]["forwardPorts"]
    assert forwarded["host"] == {"address": "127.0.0.1", "port": 8000}
    assert forwarded["guest"]["port"] in vm["firewall"]["everyone"]
    assert "http://localhost:8000" in vm["vm"]["motd"]
    # Nothing is left: the root disk is memory, and the others are files that its app removes.
    assert vm["vm"]["diskImage"] is None
    disks = {one["driveConfig"]["deviceExtraOpts"]["serial"] for one in vm["vm"]["emptyDiskImages"]}
    devices = {place: one["device"] for place, one in vm["vm"]["fileSystems"].items()}
    del devices["/"]
    assert devices == {
        "/mnt/nvme": "/dev/disk/by-id/virtio-nvme",
        "/var/lib/containers": "/dev/disk/by-id/virtio-containers",
    }
    assert {f"/dev/disk/by-id/virtio-{serial}" for serial in disks} == set(devices.values())


def test_the_programs_of_images_can_be_run():
    for name in IMAGES:
        programs = list((ROOT / "nix" / "images" / name).iterdir())
        assert programs
        assert all(program.stat().st_mode & 0o111 for program in programs)


def without_network(unit):
    return unit.replace("network-online.target ", "").replace("Wants=network-online.target\n", "")
