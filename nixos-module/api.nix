# The API and the page. systemd listens, so no request is lost while the process starts or is started
# again, and it needs no network of its own: it reads the snapshot, as a user who can write nothing.
{
  config,
  lib,
  pkgs,
  utils,
  ...
}:
let
  options.services.utxoracle = {
    api = {
      enable = lib.mkOption {
        type = lib.types.bool;
        default = true;
        example = false;
        description = "Whether prices are served: JSON, CSV, metrics and a page.";
      };

      address = lib.mkOption {
        type = lib.types.strMatching "[0-9.]+|[0-9a-fA-F:.]*:[0-9a-fA-F:.]*";
        default = "127.0.0.1";
        example = "0.0.0.0";
        description = ''
          Address that is listened on, IPv6 without brackets; it need not be there yet (a VPN's). One that others reach
          wants `api.tokenFile` or a proxy in front, `openFirewall` and `api.allow`.
        '';
      };

      port = lib.mkOption {
        type = lib.types.port;
        default = 8000;
        description = "Port that is listened on.";
      };

      allow = lib.mkOption {
        type = lib.types.listOf (
          lib.types.strMatching "localhost|link-local|multicast|any|[0-9a-fA-F.:]+(/[0-9]+)?"
        );
        default = if isLoopback api.address then [ "localhost" ] else [ "any" ];
        defaultText = lib.literalMD ''`[ "localhost" ]` on a loopback address, else `[ "any" ]`'';
        example = [
          "localhost"
          "192.168.1.0/24"
        ];
        description = ''
          Addresses that are answered, as systemd's IPAddressAllow= takes them: whatever else sends
          is not seen at all.
        '';
      };

      workers = lib.mkOption {
        type = lib.types.ints.between 1 64;
        default = 2;
        description = "Processes that answer; some 100 MB each.";
      };

      tokenFile = secretFile.mkOption {
        example = "/etc/secrets/utxoracle-token";
        description = ''
          File that holds the token which requests must bring (`Authorization: Bearer …`), which
          root can read; none is wanted when null. `settings.UTXORACLE_API_OPEN` says what needs
          none.
        '';
      };

      uid = lib.mkOption {
        type = lib.types.ints.between 1 65533;
        default = 391;
        description = "Fixed id of the user `utxoracle-api`, as `services.utxoracle.uid`.";
      };
    };

    openFirewall = lib.mkOption {
      type = lib.types.bool;
      default = false;
      description = "Whether the firewall lets others reach the API's port. No other port is opened.";
    };
  };

  cfg = config.services.utxoracle;
  inherit (cfg) api;
  guard = import ./guard.nix { inherit config lib utils; };
  hardening = import ./hardening.nix;
  secretFile = import ./secret-file.nix { inherit lib; };
  inherit (import ./hosts.nix { inherit lib; }) at isLoopback;

  # Of the socket, since the filter of a service doesn't see what comes by a socket of systemd's;
  # of the service as well, in case it ever opens one itself.
  addresses = {
    IPAddressDeny = "any";
    IPAddressAllow = api.allow;
  };
in
{
  inherit options;

  config = lib.mkIf (cfg.enable && api.enable) {
    assertions = [ (secretFile.check "api.tokenFile" api.tokenFile) ];

    warnings =
      lib.optional (cfg.openFirewall && isLoopback api.address)
        "services.utxoracle.openFirewall opens port ${toString api.port}, but the API listens on ${api.address} alone: set api.address too, or leave openFirewall out."
      ++
        lib.optional (cfg.openFirewall && lib.elem "any" api.allow && api.tokenFile == null)
          "services.utxoracle: everybody who reaches ${api.address}:${toString api.port} can ask for prices: set api.tokenFile where that isn't meant, or api.allow.";

    services.utxoracle.settings = {
      UTXORACLE_API_HOST = api.address;
      UTXORACLE_API_PORT = api.port;
      UTXORACLE_API_WORKERS = api.workers;
    };

    networking.firewall.allowedTCPPorts = lib.mkIf cfg.openFirewall [ api.port ];

    users.users.utxoracle-api = {
      inherit (api) uid;
      group = "utxoracle";
      isSystemUser = true;
      description = "API of utxoracle, which reads the prices";
    };

    # Neither it nor the service needs the disk, nor is ordered behind it: a failed dependency would
    # take the socket down for good, and while a disk is missing something always waits for it.
    systemd.sockets.utxoracle-api = {
      description = "Prices of utxoracle";
      wantedBy = [
        "sockets.target"
        "utxoracle.target"
      ];
      partOf = [ "utxoracle.target" ];
      listenStreams = [ (at api.address api.port) ];
      socketConfig = addresses // {
        FreeBind = true;
        NoDelay = true;
      };
    };

    systemd.services.utxoracle-api = {
      inherit (guard) onFailure;
      description = "API and page of utxoracle";
      requires = [ "utxoracle-api.socket" ];
      after = [ "utxoracle-api.socket" ];
      # Also without a request: a switch looks at what is active only, and would keep an old port.
      wantedBy = [ "utxoracle.target" ];
      partOf = [ "utxoracle.target" ];
      serviceConfig =
        hardening.base
        // addresses
        // {
          Type = "notify";
          User = "utxoracle-api";
          Group = "utxoracle";
          EnvironmentFile = cfg.environmentFile;
          Environment = lib.mkIf (api.tokenFile != null) "UTXORACLE_API_TOKEN_FILE=%d/token";
          LoadCredential = lib.mkIf (api.tokenFile != null) "token:${toString api.tokenFile}";
          ExecStart = "${cfg.package.python}/bin/python -m utxoracle.api";
          ExecReload = "${pkgs.coreutils}/bin/kill -HUP $MAINPID";
          KillMode = "mixed";
          InaccessiblePaths = [ "-/run/dbus" ];
          # No path below the disk is named here: it would be a mount of this unit's own, by which
          # a disk that was taken out stays in use, and hides the one that comes back.
          # The program gives requests 30 seconds to end.
          TimeoutStopSec = 40;
          Restart = "on-failure";
          RestartSec = 5;
        };
    };
  };
}
