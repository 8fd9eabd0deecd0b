# Logs are the journal's. A day of them is kept beside the prices, where they outlive the root disk.
{
  config,
  lib,
  pkgs,
  utils,
  ...
}:
let
  options.services.utxoracle.logs = {
    enable = lib.mkOption {
      type = lib.types.bool;
      default = true;
      example = false;
      description = ''
        Whether what our units wrote into the journal is also kept in `storage.paths.logs`, one file
        for each UTC day.
      '';
    };

    keepDays = lib.mkOption {
      type = lib.types.ints.positive;
      default = 30;
      description = "Days after which such a file is removed.";
    };
  };

  cfg = config.services.utxoracle;
  inherit (cfg) logs storage;
  guard = import ./guard.nix { inherit config lib utils; };
  hardening = import ./hardening.nix;
in
{
  inherit options;

  config = lib.mkIf (cfg.enable && logs.enable) {
    systemd.services.utxoracle-logs = lib.mkMerge [
      guard.disk
      {
        description = "Logs of the days before, on the disk of the prices";
        restartIfChanged = false;
        path = [ pkgs.gzip ];
        script = ''
          set -uo pipefail
          cd ${lib.escapeShellArg storage.paths.logs}

          # Also of the days on which the machine was off at this hour.
          for ago in $(seq ${toString (lib.min 7 logs.keepDays)} -1 1); do
            day=$(date --utc --date="-$ago day" +%F)
            file="utxoracle-$day.log.gz"
            [ ! -e "$file" ] || continue
            journalctl --utc --quiet --output=short-iso \
              --since="$day 00:00:00 UTC" --until="$day 23:59:59.999999 UTC" \
              --unit='utxoracle*' --unit='podman-mempool-*' --unit='podman-network-mempool*' \
              --unit='bitcoind-utxoracle*' | gzip >".$file.new"
            sync ".$file.new"
            mv ".$file.new" "$file"
          done
          oldest=utxoracle-$(date --utc --date='-${toString logs.keepDays} day' +%F).log.gz
          for file in utxoracle-*.log.gz; do
            [[ ! $file < $oldest ]] || rm -f "$file"
          done
        '';
        serviceConfig =
          hardening.base
          // hardening.patient
          // {
            Type = "oneshot";
            User = "utxoracle";
            Group = "utxoracle";
            SupplementaryGroups = [ "systemd-journal" ];
            TimeoutStartSec = "1h";
            ReadWritePaths = [ storage.paths.logs ];
            InaccessiblePaths = [ "-${storage.paths.mempool}" ];
          };
      }
    ];

    systemd.timers.utxoracle-logs = {
      description = "Keeps the logs of the day before";
      wantedBy = [ "timers.target" ];
      timerConfig = {
        OnCalendar = "*-*-* 00:15:00 UTC";
        Persistent = true;
      };
    };
  };
}
