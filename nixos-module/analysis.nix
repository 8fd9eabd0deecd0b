# The main job: what is new is fetched, priced and published, every ten minutes.
{
  config,
  lib,
  utils,
  ...
}:
let
  options.services.utxoracle.analysis = {
    enable = lib.mkOption {
      type = lib.types.bool;
      default = true;
      example = false;
      description = "Whether prices are kept up to date. Without it, the API serves what is there.";
    };

    onCalendar = lib.mkOption {
      type = lib.types.singleLineStr;
      default = "*:0/10";
      example = "hourly";
      description = ''
        When it runs; calendar events of systemd.time(7). A run costs what new blocks cost, and what
        was missed is caught up with, so prices are the same whenever it runs. Later than every
        30 minutes, `settings.UTXORACLE_RUN_MINUTES` has to be raised.
      '';
    };

    timeout = lib.mkOption {
      type = lib.types.singleLineStr;
      default = "2h";
      description = ''
        When a run is given up; a time span of systemd.time(7). A long catch-up ends by itself
        before, at `settings.UTXORACLE_TIME_BUDGET` (6000 s), and the next run goes on.
      '';
    };

    extraArgs = lib.mkOption {
      type = lib.types.listOf lib.types.singleLineStr;
      default = [ ];
      example = [ "--verbose" ];
      description = "Further arguments of `utxoracle analyze`.";
    };
  };

  cfg = config.services.utxoracle;
  inherit (cfg)
    analysis
    bitcoin
    mempool
    settings
    storage
    ;
  guard = import ./guard.nix { inherit config lib utils; };
  hardening = import ./hardening.nix;
  inherit (import ./hosts.nix { inherit lib; }) areLoopback;

  urls = lib.concatMapStringsSep " " (name: toString settings.${name} or "") [
    "UTXORACLE_SOURCE"
    "UTXORACLE_EXCHANGE_URL"
    "UTXORACLE_ELECTRS_URL"
  ];
  isLocal = areLoopback urls;
  # What was given up is tried again.
  containers = lib.optionals mempool.enable (
    lib.optional mempool.electrs.enable "podman-mempool-electrs.service"
    ++ lib.optional mempool.web.enable "podman-mempool-frontend.service"
  );
  servers =
    lib.optional mempool.enable "podman-mempool-backend.service"
    ++ lib.optional bitcoin.local.enable "bitcoind-utxoracle.service"
    ++ lib.optional (bitcoin.rpc.user != null) "utxoracle-secrets.service";
  program = lib.getExe cfg.package;
in
{
  inherit options;

  config = lib.mkIf (cfg.enable && analysis.enable) {
    systemd.services.utxoracle-analyze = lib.mkMerge [
      guard.disk
      {
        description = "BTC/USD prices of new blocks";
        wants = servers ++ containers ++ lib.optional (!isLocal) "network-online.target";
        after = servers ++ lib.optional (!isLocal) "network-online.target";
        # A switch must not kill a run, nor begin one.
        restartIfChanged = false;
        serviceConfig =
          hardening.base
          // (if isLocal then hardening.loopback else hardening.network)
          // {
            Type = "oneshot";
            User = "utxoracle";
            Group = "utxoracle";
            EnvironmentFile = cfg.environmentFile;
            ExecStart = [
              # Does nothing where there is a database; where only that is lost, it says how to go on.
              "${program} init-db"
              (lib.concatStringsSep " " (
                [ "${program} analyze" ] ++ map utils.escapeSystemdExecArg analysis.extraArgs
              ))
            ];
            # Told to stop, it has kept what it had.
            SuccessExitStatus = [
              "130"
              "SIGTERM"
            ];
            TimeoutStartSec = analysis.timeout;
            ReadWritePaths = [ storage.paths.data ];
            InaccessiblePaths = [ "-${storage.paths.mempool}" ];
          };
      }
    ];

    systemd.timers.utxoracle-analyze = {
      description = "Prices new blocks";
      wantedBy = [ "timers.target" ];
      timerConfig = {
        OnCalendar = analysis.onCalendar;
        AccuracySec = "1s";
        # The next one catches up.
        Persistent = false;
      };
    };
  };
}
