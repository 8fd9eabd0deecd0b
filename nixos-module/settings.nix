# Settings of the program, in one file for units and people alike: /etc/utxoracle/utxoracle.env.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  value = lib.types.nullOr (lib.types.either lib.types.number lib.types.singleLineStr);

  options.services.utxoracle = {
    settings = lib.mkOption {
      default = { };
      example = {
        UTXORACLE_STALL_MINUTES = 120;
        UTXORACLE_MIN_FREE = 50;
      };
      description = ''
        Settings of the program by their variables; all of them, with units and defaults, are in
        docs/usage.md. Those that other options stand for are set by these. A name or a value that
        the program would refuse fails the build. Everybody can read what stands here: secrets go
        to files, and their paths here.
      '';
      type = lib.types.submodule {
        freeformType = lib.types.attrsOf value;
        options = {
          UTXORACLE_SOURCE = lib.mkOption {
            type = lib.types.nullOr lib.types.singleLineStr;
            default = if sources == [ ] then null else lib.concatStringsSep " " sources;
            defaultText = lib.literalMD ''
              the module's own back end where `mempool.enable` is set, then the node where
              `bitcoin` says how to log in
            '';
            example = "mempool+http://127.0.0.1:8999 bitcoind+http://127.0.0.1:8332?cookie=/var/lib/bitcoind/.cookie";
            description = ''
              Where blocks come from; several, with spaces between, in order of preference. A source
              that isn't on this machine opens the network to the job that reads it.
            '';
          };
          UTXORACLE_EXCHANGE_URL = lib.mkOption {
            type = lib.types.nullOr lib.types.singleLineStr;
            default = null;
            example = "http://127.0.0.1:8999";
            description = ''
              The mempool back end that is asked for exchange prices; the first source that is one
              when null; `none`: nobody is asked.
            '';
          };
          UTXORACLE_ALERT_URL = lib.mkOption {
            type = lib.types.nullOr lib.types.singleLineStr;
            default = null;
            example = "http://127.0.0.1:9000/hook";
            description = ''
              Webhook that alerts are sent to, where its URL is no secret; otherwise use
              `alerts.urlFile`.
            '';
          };
          UTXORACLE_ALERT_URL_FILE = lib.mkOption {
            type = lib.types.nullOr lib.types.path;
            default = null;
            example = "/etc/utxoracle/alert-url";
            description = "The same as `alerts.urlFile`, which sets it.";
          };
          UTXORACLE_STALL_MINUTES = lib.mkOption {
            type = lib.types.nullOr lib.types.number;
            default = null;
            example = 120;
            description = "Minutes without a block after which the chain stalls; 180 when null.";
          };
          UTXORACLE_MIN_FREE = lib.mkOption {
            type = lib.types.nullOr lib.types.number;
            default = null;
            example = 50;
            description = "GB on the disk below which it counts as low; 10 when null.";
          };
          UTXORACLE_DIVERGENCE = lib.mkOption {
            type = lib.types.nullOr lib.types.number;
            default = null;
            example = 5;
            description = ''
              Percent between on-chain and exchange price from which on they diverge, which alerts;
              3 when null.
            '';
          };
        };
      };
    };

    environmentFile = lib.mkOption {
      type = lib.types.str;
      default = "/etc/utxoracle/utxoracle.env";
      readOnly = true;
      description = "Where the settings are, for units of other modules.";
    };
  };

  cfg = config.services.utxoracle;
  inherit (cfg) bitcoin mempool settings;
  secretFile = import ./secret-file.nix { inherit lib; };
  disks = import ./disks.nix { inherit config lib; };

  inherit (import ./hosts.nix { inherit lib; }) at;
  node = "bitcoind+http://${at bitcoin.rpc.host bitcoin.rpc.port}";
  sources =
    lib.optional mempool.enable "mempool+http://127.0.0.1:${toString mempool.backend.port}"
    ++ lib.optional (bitcoin.rpc.user != null && bitcoin.rpc.cookieFile == null) node
    ++ lib.optional (bitcoin.rpc.cookieFile != null) "${node}?cookie=${bitcoin.rpc.cookieFile}";

  ofAlerts = map toString [
    cfg.alerts.urlFile
    cfg.alerts.secretFile
  ];

  set = lib.filterAttrs (_: one: one != null) settings;
  files = lib.filterAttrs (name: _: lib.hasSuffix "_FILE" name) set;
  folders = lib.filter (url: lib.hasPrefix "files:" url) (
    lib.splitString " " (toString settings.UTXORACLE_SOURCE)
  );

  # What both systemd and a shell read alike.
  text = lib.concatStrings (
    lib.mapAttrsToList (
      name: one: "${name}=${lib.escapeShellArg (if lib.isString one then one else builtins.toJSON one)}\n"
    ) set
  );

  file = pkgs.writeTextFile {
    name = "utxoracle.env";
    inherit text;
    # What the program would refuse at every start is found out before anything is switched.
    checkPhase = ''
      (
        set -a
        . "$target"
        ${cfg.package.python}/bin/python -c '
      from utxoracle.errors import UsageError
      from utxoracle.settings import Settings
      try:
          Settings.from_environment()
      except UsageError as error:
          raise SystemExit(f"services.utxoracle.settings: {error}")
      '
      )
    '';
  };
in
{
  inherit options;

  config = lib.mkIf cfg.enable {
    assertions = [
      {
        assertion = settings.UTXORACLE_SOURCE != null;
        message = ''
          utxoracle has no source of blocks. Do one of these:
            - services.utxoracle.mempool.enable = true, with services.utxoracle.bitcoin saying how to log in to the node;
            - services.utxoracle.bitcoin.local.enable = true for a node of this machine's own;
            - services.utxoracle.settings.UTXORACLE_SOURCE = "mempool+http://127.0.0.1:8999" for a back end that is there.'';
      }
      {
        assertion = lib.all (
          url: builtins.match "(mempool|bitcoind)[+]https?://[^,]+|files:/.+|sim:.*" url != null
        ) (lib.filter (url: url != "") (lib.splitString " " (toString settings.UTXORACLE_SOURCE)));
        message =
          "services.utxoracle.settings.UTXORACLE_SOURCE (${toString settings.UTXORACLE_SOURCE}) isn't "
          + "one source, or several with spaces between: write mempool+http://127.0.0.1:8999 or "
          + "bitcoind+http://127.0.0.1:8332, files:/folder, or sim:seed=1,days=3.";
      }
      {
        assertion = lib.all (lib.hasPrefix "UTXORACLE_") (lib.attrNames settings);
        message =
          "services.utxoracle.settings: all settings begin with UTXORACLE_, and these don't: "
          + lib.concatStringsSep ", " (
            lib.filter (name: !(lib.hasPrefix "UTXORACLE_" name)) (lib.attrNames settings)
          )
          + "; see docs/usage.md. Those of mempool's back end go to services.utxoracle.mempool.settings.";
      }
      {
        assertion = lib.all (one: !(lib.isString one) || builtins.match ".*://[^/]*@.*" one == null) (
          lib.attrValues set
        );
        message =
          "services.utxoracle.settings holds a URL with a password in it, which everybody could read: "
          + "use services.utxoracle.bitcoin.rpc.user and passwordFile, or a URL without one.";
      }
    ]
    ++ lib.mapAttrsToList (name: secretFile.check "settings.${name}") (
      # What the alerts' own options say is told by their names, and certificates are no secret.
      lib.filterAttrs (name: one: name != "UTXORACLE_CA_FILE" && !lib.elem (toString one) ofAlerts) files
    )
    ++ lib.mapAttrsToList (name: disks.isSeen "settings.${name}") files
    ++ map (url: disks.isSeen "settings.UTXORACLE_SOURCE" (lib.removePrefix "files:" url)) folders;

    services.utxoracle.settings = {
      UTXORACLE_DATA_DIR = cfg.storage.paths.data;
      UTXORACLE_MOUNT_POINT = if cfg.storage.mountPoint == null then "none" else cfg.storage.mountPoint;
      UTXORACLE_NETWORK = (import ./networks.nix).${cfg.network}.core;
    };

    environment.etc."utxoracle/utxoracle.env".source = file;
    # Units name the file by its place, so they have to be told when it's another one.
    systemd.services = lib.mkIf cfg.api.enable { utxoracle-api.restartTriggers = [ file ]; };
  };
}
