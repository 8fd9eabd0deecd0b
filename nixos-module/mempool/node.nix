# The node as containers see it.
{ config, lib }:
let
  cfg = config.services.utxoracle;
  inherit (cfg) bitcoin;
  hosts = import ../hosts.nix { inherit lib; };
  addresses = import ./addresses.nix { inherit config; };
in
rec {
  isHere = hosts.isLoopback bitcoin.rpc.host;

  # A node of this machine is reached by what listens on the bridge, on ports that no node has: one
  # that listens on all addresses would keep the proxies from starting, or be kept from it by them.
  host = if isHere then addresses.machine else bitcoin.rpc.host;
  rpcPort = if isHere then 8301 else bitcoin.rpc.port;
  p2pPort = if isHere then 8302 else bitcoin.p2p.port;

  at = hosts.at host;

  units = lib.optional bitcoin.local.enable "bitcoind-utxoracle.service";
}
