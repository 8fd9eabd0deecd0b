"""What bitcoind's own settings make of it: passwords, pruning, another network."""

import hmac

from tests.appliance import Appliance
from tests.node.bitcoind import ALWAYS_SYNCED
from tests.node.conftest import over_both

PASSWORD = "hunter2"


def rpcauth(user: str, password: str) -> str:
    """Return the option by which a user may log in, as bitcoind's own rpcauth.py makes it."""
    salt = "5a17"
    return f"-rpcauth={user}:{salt}${hmac.digest(salt.encode(), password.encode(), 'sha256').hex()}"


def test_a_user_with_a_password_in_a_file_may_ask(node, appliance, tmp_path):
    node.has_rest = False
    node.start(ALWAYS_SYNCED, rpcauth("me", PASSWORD))
    password = tmp_path / "password"
    login = {"UTXORACLE_RPC_USER": "me", "UTXORACLE_RPC_PASSWORD_FILE": str(password)}
    password.write_text(PASSWORD + "\n")
    assert appliance.analyze("--max-blocks", "1", **login)["blocks"] == 1
    password.write_text("12345")
    line = appliance.refused(3, "analyze", **login)
    assert "refuses the user or password (401)" in line
    assert "12345" not in line


def test_without_rest_and_without_a_password_it_is_said_what_to_set(node, appliance):
    node.has_rest = False
    node.start()
    line = appliance.refused(3, "analyze")
    assert f"{node.place} wants a password (401): set rest=1 in bitcoin.conf, or add" in line


@over_both
def test_another_network_is_refused(node, appliance, tmp_path):
    node.start()
    main = Appliance(tmp_path / "main", appliance.environment["UTXORACLE_SOURCE"])
    main.environment["UTXORACLE_NETWORK"] = "main"
    assert main.run("init-db").returncode == 0
    for command in ("price", "analyze"):
        assert f"{node.place} follows regtest, not main" in main.refused(4, command)


@over_both
def test_a_node_that_has_pruned_the_blocks_of_a_day_names_the_lowest_it_keeps(
    node, chain, appliance
):
    node.start(ALWAYS_SYNCED, "-fastprune", "-prune=1")
    # No node prunes more than this.
    node.call("pruneblockchain", chain.tip_height - 288)
    lowest = node.call("getblockchaininfo")["pruneheight"]
    line = appliance.refused(3, "price", "--day", "2025-01-01")
    assert f"{node.place} has pruned block " in line
    assert f" and keeps only those from block {lowest} on; all blocks from " in line
    assert node.call("getblock", chain.hash_at(lowest), 0) == chain.raw_block(lowest).hex()
    assert appliance.run("price", "--from", str(lowest), "--to", str(lowest + 143)).returncode == 0
