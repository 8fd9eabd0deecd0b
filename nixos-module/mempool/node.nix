# The node as containers see it.
{ config, lib }:
let
  cfg = config.services.utxoracle;
  inherit (cfg) bitcoin mempool;
  inherit (import ../loopback.nix { inherit lib; }) isLoopback;
in
{
  # What listens on the bridge passes it on to a node of this machine.
  host = if isLoopback bitcoin.rpc.host then "${mempool.network.prefix}.1" else bitcoin.rpc.host;

  units = lib.optional bitcoin.local.enable "bitcoind-utxoracle.service";
}
