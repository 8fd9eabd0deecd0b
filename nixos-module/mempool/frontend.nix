# mempool's page.
{
  config,
  lib,
  utils,
  ...
}:
let
  options.services.utxoracle.mempool.web = {
    enable = lib.mkOption {
      type = lib.types.bool;
      default = true;
      example = false;
      description = ''
        Whether to run mempool's page. Prices don't need it. It asks nobody but this back end, so what
        comes from mempool.space alone (acceleration, sponsors) is not on it.
      '';
    };

    port = lib.mkOption {
      type = lib.types.port;
      default = 8080;
      description = "Port on 127.0.0.1 of mempool's page.";
    };

    memory = lib.mkOption {
      type = lib.types.strMatching "[0-9]+[kmg]";
      default = "256m";
      description = "Memory that the page's server may have at most.";
    };
  };

  cfg = config.services.utxoracle;
  inherit (cfg) mempool;
  container = import ./container.nix { inherit config lib utils; };
  inherit (import ./addresses.nix { inherit config; }) backend;
in
{
  inherit options;

  config = lib.mkIf (cfg.enable && mempool.enable && mempool.web.enable) (
    container "frontend" {
      description = "Page of mempool";
      inherit (mempool) uid;
      inherit (mempool.web) memory;
      stop = 10;
      health = "curl --fail --silent --output /dev/null http://localhost:8080/";
      # Wanted, not required: the page is served while the back end restarts.
      wants = [ "podman-mempool-backend.service" ];
      environment = {
        FRONTEND_HTTP_PORT = "8080";
        # By number: nginx ends if it can't find a name when it starts.
        BACKEND_MAINNET_HTTP_HOST = backend;
        BACKEND_MAINNET_HTTP_PORT = "8999";
        # What it would pass on to mempool.space, whose name it would look for as well.
        PROXIED_SERVICES = "true";
        PROXIED_SERVICES_HOST = "http://${backend}:8999";
      }
      // lib.optionalAttrs (cfg.network != "mainnet") {
        MAINNET_ENABLED = "false";
        "${lib.toUpper cfg.network}_ENABLED" = "true";
        ROOT_NETWORK = cfg.network;
      };
      ports = [ "127.0.0.1:${toString mempool.web.port}:8080" ];
    }
  );
}
