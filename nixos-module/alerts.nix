# Alerts: a webhook when something breaks and when it is over. What was told is remembered on the
# root disk, for the loss of the other one is among what is told.
{ config, lib, ... }:
let
  options.services.utxoracle.alerts = {
    enable = lib.mkOption {
      type = lib.types.bool;
      default = hasReceiver;
      defaultText = lib.literalMD "whether a receiver is set";
      description = ''
        Whether a webhook is told when a unit fails, when prices, chain, disk or backups are in
        trouble, and when that is over. `utxoracle alert --help` tells what is sent.
      '';
    };

    urlFile = secretFile.mkOption {
      example = "/etc/utxoracle/alert-url";
      description = ''
        File that holds the URL of the webhook; on the root disk, readable for the user `utxoracle`
        alone: `install -o utxoracle -g utxoracle -m 400`.
      '';
    };

    secretFile = secretFile.mkOption {
      example = "/etc/utxoracle/alert-secret";
      description = ''
        File that holds the key by which alerts are signed (HMAC-SHA256); as `alerts.urlFile`.
        Alerts aren't signed when null.
      '';
    };

    onCalendar = lib.mkOption {
      type = lib.types.singleLineStr;
      default = "*:5/10";
      example = "hourly";
      description = ''
        When the conditions are looked at; calendar events of systemd.time(7). The default is five
        minutes behind each run of `analyze`.
      '';
    };
  };

  cfg = config.services.utxoracle;
  inherit (cfg) settings;
  hasReceiver = settings.UTXORACLE_ALERT_URL != null || settings.UTXORACLE_ALERT_URL_FILE != null;
  secretFile = import ./secret-file.nix { inherit lib; };
  hardening = import ./hardening.nix;

  serviceConfig =
    hardening.base
    // hardening.network
    // {
      Type = "oneshot";
      User = "utxoracle";
      Group = "utxoracle";
      # To quote the last line of a unit that failed.
      SupplementaryGroups = [ "systemd-journal" ];
      StateDirectory = "utxoracle";
      StateDirectoryMode = "0700";
      EnvironmentFile = cfg.environmentFile;
      TimeoutStartSec = "5min";
      # No path below the disk is named here: systemd looks at each before the program starts, and a
      # disk that fails or hangs is what there is to tell of.
    };
  program = lib.getExe cfg.package;
in
{
  inherit options;

  config = lib.mkIf cfg.enable (
    lib.mkMerge [
      {
        services.utxoracle.settings = {
          UTXORACLE_ALERT_URL_FILE = lib.mkIf (cfg.alerts.urlFile != null) cfg.alerts.urlFile;
          UTXORACLE_ALERT_SECRET_FILE = lib.mkIf (cfg.alerts.secretFile != null) (
            toString cfg.alerts.secretFile
          );
        };
        assertions = [
          (secretFile.check "alerts.urlFile" cfg.alerts.urlFile)
          (secretFile.check "alerts.secretFile" cfg.alerts.secretFile)
        ];
      }
      (lib.mkIf cfg.alerts.enable {
        assertions = [
          {
            assertion = hasReceiver;
            message =
              "services.utxoracle.alerts.enable is set, but nobody is told: set alerts.urlFile to a "
              + "file that holds the URL of a webhook.";
          }
        ];

        # Also for whoever alerts by hand before a unit has.
        systemd.tmpfiles.settings.utxoracle = {
          "/var/lib/utxoracle".d = {
            user = "utxoracle";
            group = "utxoracle";
            mode = "0700";
          };
        };

        systemd.services."utxoracle-alert@" = {
          description = "Alert: %i has failed";
          wants = [ "network-online.target" ];
          # By default it would want all local file systems, a disk that is missing among them: which
          # starts what is on that, and so fails it again, and alerts without an end.
          unitConfig.DefaultDependencies = false;
          conflicts = [ "shutdown.target" ];
          before = [ "shutdown.target" ];
          after = [
            "basic.target"
            "network-online.target"
          ];
          restartIfChanged = false;
          serviceConfig = serviceConfig // {
            ExecStart = "${program} alert --event failed --unit %i";
          };
        };

        systemd.services.utxoracle-alert = {
          description = "Alerts of what is in trouble, and of what is over";
          wants = [ "network-online.target" ];
          after = [ "network-online.target" ];
          restartIfChanged = false;
          serviceConfig = serviceConfig // {
            ExecStart = "${program} alert --event check";
          };
        };
        systemd.timers.utxoracle-alert = {
          description = "Looks for what deserves an alert";
          wantedBy = [ "timers.target" ];
          timerConfig = {
            OnCalendar = cfg.alerts.onCalendar;
            AccuracySec = "1s";
          };
        };
      })
    ]
  );
}
