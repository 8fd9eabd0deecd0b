# The disk, and the folders on it.
{
  config,
  lib,
  utils,
  ...
}:
let
  options.services.utxoracle.storage = {
    base = lib.mkOption {
      type = disks.path;
      example = "/mnt/nvme/prod/apps";
      description = ''
        Folder that holds everything: `utxoracle/` (prices, some 100 MB a year) and `mempool/`
        (MariaDB, some GB; the index of electrs, 40 to 60 GB on mainnet, or 700 GB and more in
        esplora mode; the chain itself with `bitcoin.local.enable`, 800 GB).
      '';
    };

    mountPoint = lib.mkOption {
      # "/" is what is found where nothing else is declared; it is refused below.
      type = lib.types.nullOr (lib.types.either disks.path (lib.types.enum [ "/" ]));
      default = if cfg.storage.device != null then cfg.storage.base else mountPointOf cfg.storage.base;
      defaultText = lib.literalMD ''
        the longest mount point in `config.fileSystems`, other than `/`, that `storage.base` is
        on; `storage.base` itself where `storage.device` is set
      '';
      example = "/mnt/nvme";
      description = ''
        Where a disk must be mounted before anything starts: every unit that touches the disk
        asserts it. `null` means consent to the disk of `/`, which nothing is asserted of.
      '';
    };

    device = lib.mkOption {
      type = lib.types.nullOr (lib.types.strMatching "/dev/.+");
      default = null;
      example = "/dev/disk/by-label/nvme";
      description = ''
        A device that is to be mounted at `storage.mountPoint`, so that `fileSystems` need not be
        written: without access times; a boot doesn't wait for it, and when it appears later
        everything starts. It is never formatted.
      '';
    };

    fsType = lib.mkOption {
      type = lib.types.str;
      default = "ext4";
      example = "xfs";
      description = "File system on `storage.device`.";
    };

    minFreeGiB = lib.mkOption {
      type = lib.types.ints.unsigned;
      default = 2;
      description = ''
        GiB that must be free on the disk, or nothing is started: what runs goes on. (The alert
        of a disk that gets full comes earlier, at `settings.UTXORACLE_MIN_FREE`.)
      '';
    };

    paths = lib.mkOption {
      type = lib.types.attrsOf lib.types.str;
      readOnly = true;
      description = "The folders, below `storage.base`, for other modules to use.";
    };
  };

  cfg = config.services.utxoracle;
  inherit (cfg.storage) base mountPoint paths;
  guard = import ./guard.nix { inherit config lib utils; };
  hardening = import ./hardening.nix;

  # Where the storage unit may write: the disk, or the folder that was made on the root disk.
  root = if mountPoint == null then base else mountPoint;

  disks = import ./disks.nix { inherit config lib; };
  inherit (disks) isWithin mountPointOf;

  # Parents before children, and only where the parent is root's: in a folder of somebody else, a
  # link could lead root anywhere. What belongs into such a folder is made by its owner.
  folders = lib.sortOn (folder: folder.path) (
    [
      (folder base "root" "0755")
      (folder paths.utxoracle "root" "0755")
      (folder paths.data "utxoracle" "0750")
      (folder paths.logs "utxoracle" "0750")
      (folder paths.config "root" "0750")
    ]
    ++ lib.optionals (cfg.mempool.enable || cfg.bitcoin.local.enable) [
      (folder paths.mempool "root" "0755")
      (folder "${paths.mempool}/config" "root" "0755")
      (folder "${paths.mempool}/data" "root" "0755")
      (folder "${paths.mempool}/logs" "root" "0755")
      (folder paths.secrets "root" "0700")
    ]
    ++ lib.optionals cfg.mempool.enable [
      (folder paths.mysql (toString cfg.mempool.db.uid) "0700")
      (folder paths.cache (toString cfg.mempool.uid) "0700")
    ]
    ++ lib.optional (cfg.mempool.enable && cfg.mempool.electrs.enable) (
      folder paths.electrs (toString cfg.mempool.electrs.uid) "0700"
    )
    ++ lib.optional cfg.bitcoin.local.enable (
      folder paths.bitcoin (toString cfg.bitcoin.local.uid) "0700"
    )
  );
  folder = path: owner: mode: { inherit path owner mode; };
in
{
  inherit options;

  config = lib.mkIf cfg.enable {
    assertions = [
      {
        assertion = mountPoint != "/";
        message = ''
          services.utxoracle.storage.base is ${base}, but fileSystems declares no disk that it is on, only that of "/".
          Do one of these three:
            - declare the disk in fileSystems, as nixos-generate-config does;
            - set services.utxoracle.storage.device (for example "/dev/disk/by-label/nvme") and storage.mountPoint;
            - set services.utxoracle.storage.mountPoint = null to have everything on the disk of "/".'';
      }
      {
        assertion = mountPoint == null || mountPoint == "/" || isWithin mountPoint base;
        message =
          "services.utxoracle.storage.mountPoint (${toString mountPoint}) isn't above storage.base "
          + "(${base}): set it to where the disk of that folder is mounted.";
      }
      (disks.isSeen "storage.base" base)
      {
        assertion = cfg.storage.device != null -> mountPoint != null;
        message =
          "services.utxoracle.storage.device is set, but storage.mountPoint is null: say where the "
          + "device is to be mounted, or leave storage.device out.";
      }
    ];

    services.utxoracle.storage.paths = {
      utxoracle = "${base}/utxoracle";
      data = "${base}/utxoracle/data";
      logs = "${base}/utxoracle/logs";
      config = "${base}/utxoracle/config";
      mempool = "${base}/mempool";
      mysql = "${base}/mempool/data/mysql";
      cache = "${base}/mempool/data/cache";
      electrs = "${base}/mempool/data/electrs";
      bitcoin = "${base}/mempool/data/bitcoin";
      secrets = "${base}/mempool/config/secrets";
    };

    fileSystems = lib.mkIf (cfg.storage.device != null && mountPoint != null) {
      ${mountPoint} = {
        inherit (cfg.storage) device fsType;
        options = [
          "noatime"
          "nofail"
          "x-systemd.device-timeout=30s"
          # Without this, a disk that appears after the time-out stays unmounted.
          "x-systemd.wanted-by=${utils.escapeSystemdPath cfg.storage.device}.device"
        ];
      };
    };

    # Only by consent; what is on a disk of its own is made by the unit below, or a boot without
    # that disk would make it on this one.
    systemd.tmpfiles.settings.utxoracle = lib.mkIf (mountPoint == null) {
      ${base}.d = {
        user = "root";
        group = "root";
        mode = "0755";
      };
    };

    # It doesn't remain active: so each start of what needs it looks anew, and a switch never finds
    # it running, which would restart all that.
    systemd.services.utxoracle-storage = guard.often // {
      description = "Folders of utxoracle on its disk";
      unitConfig = guard.mounts;
      restartIfChanged = false;
      script = ''
        set -uo pipefail

        refuse() {
          echo "utxoracle-storage: $1" >&2
          exit 1
        }

        # What is root's holds what is others'.
        advice() {
          if [ "$2" = root ]; then
            echo "chown root:root $1"
          else
            echo "chown -R $2:$2 $1, or set the option of its uid"
          fi
        }

        # folder PATH OWNER MODE: the group has the owner's name or number.
        folder() {
          [ ! -L "$1" ] || refuse "$1 is a link: put a folder in its place"
          if [ -d "$1" ] && [ -n "$(ls -A "$1")" ]; then
            [ "$(stat -c %u "$1")" = "$(id -u "$2" 2>/dev/null || echo "$2")" ] ||
              refuse "$1 belongs to $(stat -c %U:%u "$1"), not to $2: $(advice "$@")"
          fi
          install -d -o "$2" -g "$2" -m "$3" "$1" ||
            refuse "can't make $1: see the line above; if the folder that it is in is not root's, then: install -d -o $2 -g $2 -m $3 $1"
        }

        free=$(df --output=avail -B1M ${lib.escapeShellArg root} | tail -n 1 | tr -d ' ')
        [ "$free" -ge ${toString (cfg.storage.minFreeGiB * 1024)} ] ||
          refuse "only $free MiB free on ${root}, ${toString cfg.storage.minFreeGiB} GiB are wanted: make room, or lower storage.minFreeGiB"

        mkdir -p ${lib.escapeShellArg (dirOf base)} ||
          refuse "can't make ${dirOf base}: see the line above; if a folder that it is in is not root's, then: install -d -m 755 ${dirOf base}"
        ${lib.concatMapStringsSep "\n" (
          one: "folder ${lib.escapeShellArg one.path} ${one.owner} ${one.mode}"
        ) folders}
      '';
      serviceConfig =
        hardening.base
        // hardening.owner
        // {
          Type = "oneshot";
          TimeoutStartSec = "5min";
          ReadWritePaths = [ root ];
          UMask = "0022";
        };
    };
  };
}
