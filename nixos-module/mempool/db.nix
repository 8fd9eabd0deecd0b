# MariaDB, which holds what the back end computes, exchange prices among it.
{
  config,
  lib,
  utils,
  ...
}:
let
  options.services.utxoracle.mempool.db = {
    passwordFile = secretFile.mkOption {
      example = "/etc/secrets/mempool-db-password";
      description = ''
        File that holds the password of the back end's user, in letters, digits, - and _; one is
        made when null. It acts on an empty database only: to change it later, change it in
        MariaDB (`ALTER USER`) as well.
      '';
    };

    rootPasswordFile = secretFile.mkOption {
      example = "/etc/secrets/mempool-db-root-password";
      description = "As `mempool.db.passwordFile`, of MariaDB's root.";
    };

    uid = lib.mkOption {
      type = lib.types.ints.between 1 65533;
      default = 392;
      description = ''
        User and group of MariaDB, on this machine too. A database that was made by another
        container mostly belongs to 999 or 1000, which somebody else has here: better `chown -R` it
        than set that.
      '';
    };

    memory = lib.mkOption {
      type = lib.types.strMatching "[0-9]+[kmg]";
      default = "2g";
      description = "Memory that MariaDB may have at most.";
    };
  };

  cfg = config.services.utxoracle;
  inherit (cfg) mempool storage;
  inherit (mempool) db settings;
  secretFile = import ../secret-file.nix { inherit lib; };
  container = import ./container.nix { inherit config lib utils; };
in
{
  inherit options;

  config = lib.mkIf (cfg.enable && mempool.enable) (
    lib.mkMerge [
      {
        assertions = [
          (secretFile.check "mempool.db.passwordFile" db.passwordFile)
          (secretFile.check "mempool.db.rootPasswordFile" db.rootPasswordFile)
        ];

        users = {
          users.utxoracle-db = {
            inherit (db) uid;
            group = "utxoracle-db";
            isSystemUser = true;
            description = "MariaDB of utxoracle's mempool";
          };
          groups.utxoracle-db.gid = db.uid;
        };
      }

      (container "db" {
        description = "MariaDB of mempool";
        inherit (db) uid memory;
        stop = 120;
        # It only listens to TCP once its files are in order; who asks doesn't matter.
        health = "healthcheck.sh --connect";
        # What it repairs after a power cut may take longer than any health check waits.
        onUnhealthy = "none";
        environment = {
          MARIADB_DATABASE = settings.DATABASE_DATABASE;
          MARIADB_USER = settings.DATABASE_USERNAME;
          # A database of an older release is brought to this one; there is no way back but a dump.
          MARIADB_AUTO_UPGRADE = "1";
        };
        environmentFiles = [ "/run/utxoracle-secrets/db.env" ];
        volumes = [ "${storage.paths.mysql}:/var/lib/mysql" ];
      })
    ]
  );
}
