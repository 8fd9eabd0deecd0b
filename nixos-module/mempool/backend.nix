# mempool's back end, which the price job asks for blocks and exchange prices.
{
  config,
  lib,
  utils,
  ...
}:
let
  options.services.utxoracle.mempool = {
    backend = {
      port = lib.mkOption {
        type = lib.types.port;
        default = 8999;
        description = "Port on 127.0.0.1 of the back end's API.";
      };

      memory = lib.mkOption {
        type = lib.types.strMatching "[0-9]+[kmg]";
        default = "4g";
        description = "Memory that the back end may have at most.";
      };
    };

    settings = lib.mkOption {
      default = { };
      example = {
        MEMPOOL_INDEXING_BLOCKS_AMOUNT = 52560;
        MEMPOOL_PRICE_UPDATES_PER_HOUR = 4;
      };
      description = ''
        Further environment variables of the back end's container, by the names that its start
        script knows. What it isn't told it decides itself, and nothing checks the names. Everybody can read what
        stands here.
      '';
      type = lib.types.submodule {
        freeformType = lib.types.attrsOf (
          lib.types.oneOf [
            lib.types.bool
            lib.types.int
            lib.types.singleLineStr
          ]
        );
        options = {
          DATABASE_DATABASE = lib.mkOption {
            type = lib.types.strMatching "[A-Za-z0-9_]+";
            default = "mempool";
            description = "Name of the database; that of a database that is there.";
          };
          DATABASE_USERNAME = lib.mkOption {
            type = lib.types.strMatching "[A-Za-z0-9_]+";
            default = "mempool";
            description = "Its user; that of a database that is there.";
          };
        };
      };
    };
  };

  cfg = config.services.utxoracle;
  inherit (cfg) bitcoin mempool storage;
  container = import ./container.nix { inherit config lib utils; };
  node = import ./node.nix { inherit config lib; };

  text = one: if lib.isString one then one else builtins.toJSON one;

  electrs =
    if !mempool.electrs.enable then
      { MEMPOOL_BACKEND = "none"; }
    else if mempool.electrs.mode == "esplora" then
      {
        MEMPOOL_BACKEND = "esplora";
        ESPLORA_REST_API_URL = "http://mempool-electrs:3001";
      }
    else
      {
        MEMPOOL_BACKEND = "electrum";
        ELECTRUM_HOST = "mempool-electrs";
        ELECTRUM_PORT = "50001";
        ELECTRUM_TLS_ENABLED = "false";
      };
  passwords = [
    "CORE_RPC_PASSWORD"
    "DATABASE_PASSWORD"
  ];
in
{
  inherit options;

  config = lib.mkIf (cfg.enable && mempool.enable) (
    lib.mkMerge [
      {
        assertions = [
          {
            assertion = !lib.any (name: mempool.settings ? ${name}) passwords;
            message =
              "services.utxoracle.mempool.settings has a password in it, which everybody could read: "
              + "use bitcoin.rpc.passwordFile and mempool.db.passwordFile for "
              + lib.concatStringsSep " and " passwords
              + ".";
          }
        ];
      }

      (container "backend" {
        description = "Back end of mempool";
        inherit (mempool) uid;
        inherit (mempool.backend) memory;
        # The price job waits for it, and has another source.
        start = "15m";
        health = "curl --fail --silent --output /dev/null http://localhost:8999/api/v1/backend-info";
        # The image's start script has node for a child, and as the first process of a container a
        # shell hears no signal: it would be killed after a minute, in the middle of what it writes.
        cmd = [
          "sh"
          "-c"
          "eval \"$(sed 's/^node /exec node /' /backend/start.sh)\""
        ];
        # By this one alone it writes its cache.
        stopSignal = "SIGINT";
        requires = [ "podman-mempool-db.service" ];
        wants = lib.optional mempool.electrs.enable "podman-mempool-electrs.service" ++ node.units;
        environment =
          electrs
          // {
            MEMPOOL_NETWORK = cfg.network;
            CORE_RPC_HOST = node.host;
            CORE_RPC_PORT = toString node.rpcPort;
            CORE_RPC_USERNAME = toString bitcoin.rpc.user;
            DATABASE_ENABLED = "true";
            DATABASE_HOST = "mempool-db";
          }
          // lib.mapAttrs (_: text) mempool.settings;
        environmentFiles = [ "/run/utxoracle-secrets/backend.env" ];
        volumes = [ "${storage.paths.cache}:/backend/cache" ];
        ports = [ "127.0.0.1:${toString mempool.backend.port}:8999" ];
      })
    ]
  );
}
