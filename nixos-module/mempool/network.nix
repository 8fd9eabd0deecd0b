# The containers' network: a bridge of a fixed name, so that the firewall can let names be asked for
# on it, and addresses that stay.
{
  config,
  lib,
  utils,
  ...
}:
let
  options.services.utxoracle.mempool.network = {
    name = lib.mkOption {
      type = lib.types.str;
      default = "mempool";
      readOnly = true;
      description = "Name of podman's network, for containers of other modules to join.";
    };

    bridge = lib.mkOption {
      type = lib.types.strMatching "[a-z][a-z0-9-]{0,14}";
      default = "br-mempool";
      description = "Name of the bridge; 15 characters at most.";
    };

    prefix = lib.mkOption {
      type = lib.types.strMatching "(10\\.${byte}|172\\.(1[6-9]|2[0-9]|3[01])|192\\.168)\\.${byte}";
      default = "10.89.64";
      example = "172.30.5";
      description = ''
        First three numbers of the containers' private addresses; the fourth is 1 for this machine. Change
        it where something else has these addresses.
      '';
    };
  };

  byte = "(25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])";
  cfg = config.services.utxoracle;
  inherit (cfg) mempool;
  inherit (mempool) network;
  inherit (config.networking) nftables;
  guard = import ../guard.nix { inherit config lib utils; };
  hardening = import ../hardening.nix;
  addresses = import ./addresses.nix { inherit config; };
  fromOutside = "! -i ${network.bridge} -o ${network.bridge} -m conntrack --ctstate NEW";
  removeRule = "iptables -w -D FORWARD ${fromOutside} -j DROP 2>/dev/null || true";
  spec = "${network.bridge}-${network.prefix}";
in
{
  inherit options;

  config = lib.mkIf (cfg.enable && mempool.enable) {
    networking.firewall = {
      # Podman's name server; nixpkgs opens it on podman's own network alone.
      interfaces.${network.bridge}.allowedUDPPorts = [ 53 ];

      # A neighbour that sends packets for the containers' addresses here would reach all their
      # ports, whatever is published where.
      extraCommands = lib.mkIf (!nftables.enable) ''
        ${removeRule}
        iptables -w -I FORWARD ${fromOutside} -j DROP
      '';
      extraStopCommands = lib.mkIf (!nftables.enable) removeRule;
    };
    networking.nftables.tables.utxoracle = lib.mkIf nftables.enable {
      family = "inet";
      content = ''
        chain forward {
          type filter hook forward priority filter - 1; policy accept;
          iifname != "${network.bridge}" oifname "${network.bridge}" ct state new drop
        }
      '';
    };

    systemd.services.podman-network-mempool = guard.often // {
      inherit (guard) onFailure;
      description = "Network of the containers of mempool";
      restartIfChanged = false;
      path = [ config.virtualisation.podman.package ];
      script = ''
        set -uo pipefail

        # podman keeps what containers have in their environment, passwords too, where everybody may read.
        database=$(podman info --format '{{.Store.GraphRoot}}')/db.sql
        [ ! -e "$database" ] || chmod 600 "$database"

        # The label tells what a network was made for: an option may have changed since.
        if podman network exists ${network.name}; then
          made=$(podman network inspect --format '{{index .Labels "utxoracle"}}' ${network.name})
          [ "$made" != ${spec} ] || exit 0
          if [ -z "$made" ]; then
            echo "podman-network-mempool: podman has a network ${network.name} already, which isn't of this module: end the containers on it, then podman network rm ${network.name}" >&2
            exit 1
          fi
          podman network rm ${network.name} || {
            echo "podman-network-mempool: its addresses have changed, and containers use the old ones: systemctl stop 'podman-mempool-*', then systemctl start utxoracle.target" >&2
            exit 1
          }
        fi
        podman network create --driver=bridge --interface-name=${network.bridge} \
          --subnet=${network.prefix}.0/24 --gateway=${addresses.machine} \
          --label=utxoracle=${spec} ${network.name}
        # It may say so, and have written nothing.
        podman network exists ${network.name}
      '';
      serviceConfig = hardening.podman // {
        Type = "oneshot";
        TimeoutStartSec = "2min";
        # Where podman keeps its networks.
        ReadWritePaths = [ "-/etc/containers" ];
        RestrictSUIDSGID = true;
      };
    };
  };
}
