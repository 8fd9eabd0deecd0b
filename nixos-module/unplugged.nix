# What lets go of a disk that is gone: as long as a dead one is mounted, one that is back isn't.
{
  config,
  lib,
  pkgs,
  utils,
  ...
}:
let
  cfg = config.services.utxoracle;
  inherit (cfg.storage) device mountPoint;
  hardening = import ./hardening.nix;
  deviceUnit = "${utils.escapeSystemdPath device}.device";
  mountUnit = "${utils.escapeSystemdPath mountPoint}.mount";
in
{
  config = lib.mkIf (cfg.enable && device != null && mountPoint != null) {
    systemd.services.utxoracle-unplugged = {
      description = "Lets go of the disk of utxoracle when it is gone";
      # A switch doesn't start what a device wants that is there already.
      wantedBy = [
        deviceUnit
        mountUnit
        "utxoracle.target"
      ];
      bindsTo = [ deviceUnit ];
      after = [ deviceUnit ];
      restartIfChanged = false;
      script = "true";
      # systemd has it unmounted when all have stopped that write to it. But what a timer starts
      # meanwhile takes the place of that, and the API reads on, for which it is refused.
      preStop = ''
        is_gone() { [ ! -e ${lib.escapeShellArg device} ]; }
        is_mounted() { systemctl is-active --quiet ${lib.escapeShellArg mountUnit}; }
        is_ending() { [ "$(systemctl is-system-running)" = stopping ]; }

        while is_gone && is_mounted && ! is_ending; do
          systemctl stop ${lib.escapeShellArg mountUnit} ||
            systemd-run --quiet --wait --collect ${pkgs.util-linux}/bin/umount --lazy ${lib.escapeShellArg mountPoint} ||
            sleep 1
        done
        # It may be back already, and what mounts it may have come too early. The mount wants this, too.
        is_gone || is_ending || systemctl start --no-block ${lib.escapeShellArg mountUnit}
      '';
      serviceConfig = hardening.base // {
        Type = "oneshot";
        RemainAfterExit = true;
        # It looks whether the disk is there, and gives orders as root.
        PrivateDevices = false;
        PrivateUsers = false;
        TimeoutStopSec = "30min";
      };
    };
  };
}
