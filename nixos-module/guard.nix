# What every unit shares that touches the disk, so that nothing is ever written below an empty mount
# point, onto the root disk.
#
# Each of the three is needed. `requires` follows a failed start of the storage unit, and only by
# it does `onFailure` fire (a failed assertion of a unit's own leaves it inactive). RequiresMountsFor
# mounts the disk first, but is content with a path that nothing is declared for. The assertion
# also sees a disk that was unmounted by hand, which neither of the others does.
{ config, lib }:
let
  inherit (config.services.utxoracle) alerts storage;

  mounts = {
    RequiresMountsFor = [ storage.base ];
    AssertPathIsMountPoint = lib.mkIf (storage.mountPoint != null) [ storage.mountPoint ];
  };
in
{
  # For the storage unit itself.
  inherit mounts;

  # For units that have to tell of a failure.
  alert.onFailure = lib.mkIf alerts.enable [ "utxoracle-alert@%n.service" ];

  # For all others.
  disk = {
    requires = [ "utxoracle-storage.service" ];
    after = [ "utxoracle-storage.service" ];
    unitConfig = mounts;
    onFailure = lib.mkIf alerts.enable [ "utxoracle-alert@%n.service" ];
  };
}
