"""The machines that the flake makes, as far as the module goes: what they set is accepted."""

from pathlib import Path

import pytest

from tests.nix.library import evaluate

ROOT = Path(__file__).resolve().parents[2]

# Of each, what it says to the module, with the disk that NixOS would know of.
MACHINES = {
    "the host of the template": f"""
        let host = import {ROOT}/nix/templates/host/configuration.nix; in
        {{ inherit (host.services) utxoracle; fileSystems = {{ }}; }}
    """,
    "the VM to look at": f"""
        let vm = import {ROOT}/nix/nixosConfigurations/vm.nix (args // {{ modulesPath = "/"; }}); in
        {{ inherit (vm.services) utxoracle; fileSystems = disk; }}
    """,
    "the host of the VM test": f"""
        let host = (import {ROOT}/tests/vm/app.nix).nodes.machine; in
        {{ inherit (host.services) utxoracle; fileSystems = disk; }}
    """,
}


@pytest.mark.usefixtures("evaluating")
@pytest.mark.parametrize("name", MACHINES)
def test_the_module_takes_what_a_machine_says(name, tmp_path):
    module = tmp_path / "module.nix"
    module.write_text(f"""
        {{ config, lib, pkgs, ... }}@args:
        let
          disk = lib.mapAttrs (_: one: {{ inherit (one) device fsType; }})
            (import {ROOT}/nix/virtual-nvme.nix).virtualisation.fileSystems;
          machine = {MACHINES[name]};
        in
        {{ services = {{ inherit (machine) utxoracle; }}; inherit (machine) fileSystems; }}
    """)
    assert evaluate(module, attribute="failed") == []
    assert evaluate(module, attribute="rendered")["warnings"] == []
