# A node that listens on 127.0.0.1 alone can't be reached from a container on a bridge. So systemd
# listens on the bridge's address and passes on what comes there; nobody else gets to that address.
{ config, lib, ... }:
let
  cfg = config.services.utxoracle;
  inherit (cfg) bitcoin mempool;
  inherit (mempool) network;
  hardening = import ./hardening.nix;
  inherit (import ./hosts.nix { inherit lib; }) at;

  node = import ./mempool/node.nix { inherit config lib; };

  proxy = name: what: port: nodePort: {
    networking.firewall.interfaces.${network.bridge}.allowedTCPPorts = [ port ];

    systemd.sockets."utxoracle-${name}-proxy" = {
      description = "${what}, for the containers of mempool";
      wantedBy = [ "sockets.target" ];
      listenStreams = [ (node.at port) ];
      # The bridge comes with the first container.
      socketConfig = {
        FreeBind = true;
        IPAddressDeny = "any";
        IPAddressAllow = [
          "localhost"
          "${network.prefix}.0/24"
        ];
      };
    };

    systemd.services."utxoracle-${name}-proxy" = {
      description = "${what}, for the containers of mempool";
      requires = [ "utxoracle-${name}-proxy.socket" ];
      after = [ "utxoracle-${name}-proxy.socket" ];
      serviceConfig =
        hardening.base
        // hardening.loopback
        // {
          Type = "notify";
          ExecStart = "${config.systemd.package}/lib/systemd/systemd-socket-proxyd --connections-max=1024 ${at bitcoin.rpc.host nodePort}";
          DynamicUser = true;
        };
    };
  };
in
{
  config = lib.mkIf (cfg.enable && mempool.enable && node.isHere) (
    lib.mkMerge [
      (proxy "rpc" "JSON-RPC of the node" node.rpcPort bitcoin.rpc.port)
      # electrs takes blocks from the node as other nodes do.
      (lib.mkIf (mempool.electrs.enable && mempool.electrs.mode == "electrum") (
        proxy "p2p" "Blocks of the node" node.p2pPort bitcoin.p2p.port
      ))
    ]
  );
}
