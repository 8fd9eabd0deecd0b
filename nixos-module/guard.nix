# What every unit shares that touches the disk, so that nothing is ever written below an empty mount
# point, onto the root disk.
#
# Each of the three is needed. `requires` follows a failed start of the storage unit, and only by
# it does `onFailure` fire (a failed assertion of a unit's own leaves it inactive). RequiresMountsFor
# mounts the disk first, but is content with a path that nothing is declared for. The assertion
# also sees a disk that was unmounted by hand, which neither of the others does.
{
  config,
  lib,
  utils,
}:
let
  inherit (config.services.utxoracle) alerts storage;

  mountUnits = lib.optional (
    storage.mountPoint != null
  ) "${utils.escapeSystemdPath storage.mountPoint}.mount";

  onFailure = lib.mkIf alerts.enable [ "utxoracle-alert@%n.service" ];

  mounts = {
    RequiresMountsFor = [ storage.base ];
    AssertPathIsMountPoint = lib.mkIf (storage.mountPoint != null) [ storage.mountPoint ];
  };
in
{
  # For the storage unit itself.
  inherit mounts;

  # For long-running units on the disk. A disk that is late has to bring up each of them: the target
  # is there already, and starting it again would do nothing.
  lasting = {
    wantedBy = [ "utxoracle.target" ] ++ mountUnits;
    partOf = [ "utxoracle.target" ];
  };

  # For what is started by each of several others, which comes to more than systemd's five in ten
  # seconds: then all of them would fail.
  often.startLimitIntervalSec = 0;

  # For units without the disk that have to tell of a failure.
  inherit onFailure;

  # For all others.
  disk = {
    requires = [ "utxoracle-storage.service" ];
    after = [ "utxoracle-storage.service" ];
    unitConfig = mounts;
    inherit onFailure;
  };
}
