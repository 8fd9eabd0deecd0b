# Ports and ids: no two services may be given one.
{ config, lib, ... }:
let
  cfg = config.services.utxoracle;
  inherit (cfg) api bitcoin mempool;
  node = import ./mempool/node.nix { inherit config lib; };

  hasNode =
    node.isHere && (mempool.enable || bitcoin.rpc.user != null || bitcoin.rpc.cookieFile != null);

  # All that listens on this machine, by the option that says where.
  ports =
    lib.optionalAttrs api.enable { "api.port" = api.port; }
    // lib.optionalAttrs hasNode {
      "bitcoin.rpc.port" = bitcoin.rpc.port;
      "bitcoin.p2p.port" = bitcoin.p2p.port;
    }
    // lib.optionalAttrs (mempool.enable && node.isHere) {
      "the proxy of bitcoin.rpc.port" = node.rpcPort;
      "the proxy of bitcoin.p2p.port" = node.p2pPort;
    }
    // lib.optionalAttrs mempool.enable (
      {
        "mempool.backend.port" = mempool.backend.port;
      }
      // lib.optionalAttrs mempool.web.enable { "mempool.web.port" = mempool.web.port; }
      // lib.optionalAttrs mempool.electrs.enable (
        {
          "mempool.electrs.electrumPort" = mempool.electrs.electrumPort;
        }
        // lib.optionalAttrs (mempool.electrs.mode == "esplora") {
          "mempool.electrs.httpPort" = mempool.electrs.httpPort;
        }
      )
    );

  ids = {
    inherit (cfg) uid;
  }
  // lib.optionalAttrs api.enable { "api.uid" = api.uid; }
  // lib.optionalAttrs bitcoin.local.enable { "bitcoin.local.uid" = bitcoin.local.uid; }
  // lib.optionalAttrs mempool.enable (
    {
      "mempool.uid" = mempool.uid;
      "mempool.db.uid" = mempool.db.uid;
    }
    // lib.optionalAttrs mempool.electrs.enable { "mempool.electrs.uid" = mempool.electrs.uid; }
  );

  clashes =
    what: numbers:
    lib.mapAttrsToList
      (number: names: {
        assertion = false;
        message =
          "services.utxoracle: ${lib.concatStringsSep " and " names} are both ${number}: give one of "
          + "them another ${what}.";
      })
      (
        lib.filterAttrs (_: names: lib.length names > 1) (
          lib.groupBy (name: toString numbers.${name}) (lib.attrNames numbers)
        )
      );
in
{
  config.assertions = lib.mkIf cfg.enable (clashes "port" ports ++ clashes "id" ids);
}
