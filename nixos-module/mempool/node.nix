# The node as containers see it.
{ config, lib }:
let
  cfg = config.services.utxoracle;
  inherit (cfg) bitcoin mempool;
  hosts = import ../hosts.nix { inherit lib; };
in
rec {
  # What listens on the bridge passes it on to a node of this machine.
  host =
    if hosts.isLoopback bitcoin.rpc.host then "${mempool.network.prefix}.1" else bitcoin.rpc.host;

  at = hosts.at host;

  units = lib.optional bitcoin.local.enable "bitcoind-utxoracle.service";
}
