"""What an assertion must not refuse."""

import pytest

from tests.nix.library import evaluate

ACCEPTED = {
    "a_node_of_another_network": """
        services.utxoracle.bitcoin.local.enable = true;
        services.bitcoind.test = { enable = true; testnet = true; };
    """,
    "a_node_with_ports_of_its_own": """
        services.utxoracle.bitcoin.local.enable = true;
        services.bitcoind.other = { enable = true; port = 9333; rpc.port = 9332; };
    """,
    "certificates_of_the_store": """
        services.utxoracle.mempool.enable = false;
        services.utxoracle.settings.UTXORACLE_SOURCE = "mempool+https://mempool.example";
        services.utxoracle.settings.UTXORACLE_CA_FILE = "${builtins.storeDir}/ca-bundle.crt";
    """,
    "ids_of_parts_that_are_off": """
        services.utxoracle.mempool.enable = false;
        services.utxoracle.settings.UTXORACLE_SOURCE = "files:/mnt/nvme/blocks";
        services.utxoracle.uid = 392;
    """,
}


@pytest.mark.usefixtures("evaluating")
@pytest.mark.parametrize("name", ACCEPTED)
def test_this_is_no_mistake(name, tmp_path):
    module = tmp_path / "module.nix"
    module.write_text(
        '{ services.utxoracle.enable = true; services.utxoracle.storage.base = "/mnt/nvme/apps";'
        ' fileSystems."/mnt/nvme" = { device = "/dev/sda1"; fsType = "ext4"; };'
        f" {ACCEPTED[name]} }}"
    )
    assert evaluate(module, attribute="failed") == []
