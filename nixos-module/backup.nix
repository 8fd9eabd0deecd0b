# Backups: of the prices by their owner, of mempool's database by root, since podman is root's.
{
  config,
  lib,
  utils,
  ...
}:
let
  options.services.utxoracle.backup = {
    enable = lib.mkOption {
      type = lib.types.bool;
      default = true;
      example = false;
      description = "Whether the prices are backed up once a day: the published file, verified.";
    };

    onCalendar = lib.mkOption {
      type = lib.types.singleLineStr;
      default = "*-*-* 03:00:00 UTC";
      description = ''
        When; calendar events of systemd.time(7). What a machine that was off has missed is made up
        for.
      '';
    };

    directory = lib.mkOption {
      type = disks.path;
      default = usual;
      defaultText = lib.literalExpression ''"''${config.services.utxoracle.storage.base}/utxoracle/data/backups"'';
      example = "/mnt/usb/utxoracle";
      description = ''
        Folder of the backups. One on another disk survives the loss of the first: make it once, by
        `install -d -o utxoracle -g utxoracle -m 750`, and declare that disk in `fileSystems`, so
        that nothing is written where it isn't mounted.
      '';
    };

    keepDays = lib.mkOption {
      type = lib.types.ints.unsigned;
      default = 30;
      description = "Days after which a backup is removed.";
    };

    keepMin = lib.mkOption {
      type = lib.types.ints.unsigned;
      default = 3;
      description = "Good backups that stay however old they are.";
    };

    mempool = {
      enable = lib.mkOption {
        type = lib.types.bool;
        default = false;
        example = true;
        description = ''
          Whether MariaDB is dumped once a day, some hundred MB a dump. All of it can be computed
          again, in some days, but for the exchange prices and statistics of the past.
        '';
      };

      onCalendar = lib.mkOption {
        type = lib.types.singleLineStr;
        default = "*-*-* 03:30:00 UTC";
        description = "When; as `backup.onCalendar`.";
      };
    };
  };

  cfg = config.services.utxoracle;
  inherit (cfg) backup storage;
  guard = import ./guard.nix { inherit config lib utils; };
  hardening = import ./hardening.nix;
  disks = import ./disks.nix { inherit config lib; };

  usual = "${storage.paths.data}/backups";
  isNamed = backup.directory != usual;

  # The disk of the folder, if that is another one.
  disk = disks.mountPointOf backup.directory;
  isElsewhere = disk != "/" && disk != storage.mountPoint;
  otherDisk.unitConfig = lib.mkIf isElsewhere {
    RequiresMountsFor = [ backup.directory ];
    AssertPathIsMountPoint = [ disk ];
  };

  timer = onCalendar: description: {
    inherit description;
    wantedBy = [ "timers.target" ];
    timerConfig = {
      OnCalendar = onCalendar;
      Persistent = true;
    };
  };
  program = lib.getExe cfg.package;
in
{
  inherit options;

  config = lib.mkIf cfg.enable (
    lib.mkMerge [
      {
        assertions = lib.optional isNamed (disks.isSeen "backup.directory" backup.directory);
        services.utxoracle.settings = {
          # The usual one is made by the program; one that is named has to be there.
          UTXORACLE_BACKUP_DIR = lib.mkIf isNamed backup.directory;
          UTXORACLE_BACKUP_KEEP_DAYS = backup.keepDays;
          UTXORACLE_BACKUP_KEEP_MIN = backup.keepMin;
        };
      }

      (lib.mkIf backup.enable {
        warnings =
          lib.optional (disk == "/" && storage.mountPoint != null && !disks.isWithin "/var" backup.directory)
            "services.utxoracle.backup.directory (${backup.directory}) is on the system's disk: if another one is to be mounted there, declare it in fileSystems; if not, a folder below /var says that it's meant.";

        systemd.services.utxoracle-backup = lib.mkMerge [
          guard.disk
          otherDisk
          {
            description = "Backup of the prices";
            after = [ "utxoracle-analyze.service" ];
            restartIfChanged = false;
            serviceConfig =
              hardening.base
              // hardening.patient
              // {
                Type = "oneshot";
                User = "utxoracle";
                Group = "utxoracle";
                EnvironmentFile = cfg.environmentFile;
                ExecStart = "${program} backup";
                TimeoutStartSec = "1h";
                ReadWritePaths = [
                  storage.paths.data
                ]
                # Where it is missing, the program says what to do.
                ++ lib.optional isNamed "-${backup.directory}";
                InaccessiblePaths = [ "-${storage.paths.mempool}" ];
              };
          }
        ];
        systemd.timers.utxoracle-backup = timer backup.onCalendar "Backs up the prices";
      })

      (lib.mkIf backup.mempool.enable {
        assertions = [
          {
            assertion = cfg.mempool.enable;
            message =
              "services.utxoracle.backup.mempool.enable is set, but there is no mempool here to back "
              + "up: set mempool.enable, or back it up where it runs.";
          }
        ];

        systemd.services.utxoracle-backup-mempool = lib.mkMerge [
          guard.disk
          otherDisk
          {
            description = "Dump of mempool's database";
            wants = [ "podman-mempool-db.service" ];
            after = [ "podman-mempool-db.service" ];
            restartIfChanged = false;
            path = [ config.virtualisation.podman.package ];
            serviceConfig =
              hardening.podman
              // hardening.patient
              // {
                Type = "oneshot";
                EnvironmentFile = cfg.environmentFile;
                ExecStart = "${program} backup-mempool-db --database ${cfg.mempool.settings.DATABASE_DATABASE}";
                SuccessExitStatus = 130;
                TimeoutStartSec = "6h";
                LockPersonality = true;
                UMask = "0077";
              };
          }
        ];
        systemd.timers.utxoracle-backup-mempool = timer backup.mempool.onCalendar "Dumps mempool's database";
      })
    ]
  );
}
