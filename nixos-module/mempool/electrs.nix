# electrs, by which the back end finds the transactions of an address. It takes a day to make its
# index, and nothing waits for it: the back end only wants it.
{
  config,
  lib,
  pkgs,
  utils,
  ...
}:
let
  options.services.utxoracle.mempool.electrs = {
    enable = lib.mkOption {
      type = lib.types.bool;
      default = true;
      example = false;
      description = ''
        Whether to run electrs, without which mempool's page knows no addresses. Prices don't need
        it.
      '';
    };

    mode = lib.mkOption {
      type = lib.types.enum [
        "electrum"
        "esplora"
      ];
      default = "electrum";
      description = ''
        `electrum`: romanz' electrs, in an image of Umbrel's, 40 to 60 GB; wallets can use it too. `esplora`: mempool's own,
        which is what mempool.space runs: faster, for 700 GB and more, and on x86_64 only.
      '';
    };

    electrumPort = lib.mkOption {
      type = lib.types.port;
      default = 50001;
      description = "Port on 127.0.0.1 for wallets on this machine that speak Electrum's protocol.";
    };

    httpPort = lib.mkOption {
      type = lib.types.port;
      default = 3001;
      description = "Port on 127.0.0.1 of the blocks and transactions that it serves in esplora mode.";
    };

    uid = lib.mkOption {
      type = lib.types.ints.between 1 65533;
      default = 393;
      description = "User and group of electrs, on this machine too, as `mempool.db.uid`.";
    };

    extraArgs = lib.mkOption {
      type = lib.types.listOf lib.types.singleLineStr;
      default = [ ];
      example = [ "--log-filters=WARN" ];
      description = "Further arguments of electrs, which differ by `mode`.";
    };

    memory = lib.mkOption {
      type = lib.types.strMatching "[0-9]+[kmg]";
      default = "8g";
      description = "Memory that electrs may have at most, which it takes while it makes its index.";
    };
  };

  cfg = config.services.utxoracle;
  inherit (cfg)
    bitcoin
    mempool
    storage
    ;
  inherit (mempool) electrs;
  container = import ./container.nix { inherit config lib utils; };
  node = import ./node.nix { inherit config lib; };
  isEsplora = electrs.mode == "esplora";

  # Below a daemon's folder, where both programs look for the cookie.
  folder =
    {
      mainnet = "";
      testnet = "/testnet3";
    }
    .${cfg.network} or "/${cfg.network}";

  esplora = [
    "--network=${cfg.network}"
    # By JSON-RPC: the files of the node are none of its business.
    "--jsonrpc-import"
    "--daemon-dir=/daemon"
    "--daemon-rpc-addr=${node.at node.rpcPort}"
    "--db-dir=/data"
    "--electrum-rpc-addr=0.0.0.0:50001"
    "--http-addr=0.0.0.0:3001"
  ];

  electrum = [
    "--network=${if cfg.network == "mainnet" then "bitcoin" else cfg.network}"
    "--skip-default-conf-files"
    "--cookie-file=/daemon${folder}/.cookie"
    "--daemon-rpc-addr=${node.at node.rpcPort}"
    "--daemon-p2p-addr=${node.at node.p2pPort}"
    "--db-dir=/data"
    "--electrum-rpc-addr=0.0.0.0:50001"
  ];
in
{
  inherit options;

  config = lib.mkIf (cfg.enable && mempool.enable && electrs.enable) (
    lib.mkMerge [
      {
        assertions = [
          {
            assertion = isEsplora -> pkgs.stdenv.hostPlatform.isx86_64;
            message =
              "services.utxoracle.mempool.electrs.mode = \"esplora\" needs mempool's image of electrs, "
              + "which there is for x86_64 only: use the mode \"electrum\", or set electrs.enable = false.";
          }
        ];

        users = {
          users.utxoracle-electrs = {
            inherit (electrs) uid;
            group = "utxoracle-electrs";
            isSystemUser = true;
            description = "electrs of utxoracle's mempool";
          };
          groups.utxoracle-electrs.gid = electrs.uid;
        };

        # In that mode the back end leaves blocks to it.
        services.utxoracle.settings.UTXORACLE_ELECTRS_URL = lib.mkIf isEsplora (
          lib.mkDefault "http://127.0.0.1:${toString electrs.httpPort}"
        );
      }

      (container "electrs" {
        description = "electrs, which finds the transactions of addresses";
        inherit (electrs) uid memory;
        # It writes what it has in memory.
        stop = 300;
        wants = node.units;
        cmd = (if isEsplora then esplora else electrum) ++ electrs.extraArgs;
        volumes = [
          "${storage.paths.electrs}:/data"
          "/run/utxoracle-secrets/electrs:/daemon${folder}:ro"
        ];
        ports = [
          "127.0.0.1:${toString electrs.electrumPort}:50001"
        ]
        ++ lib.optional isEsplora "127.0.0.1:${toString electrs.httpPort}:3001";
      })
    ]
  );
}
