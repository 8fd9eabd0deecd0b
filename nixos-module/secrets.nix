# Passwords: made once, kept on the database's disk (a password acts on an empty database only, so
# the two have to travel together), and handed to each reader in a file of its own below /run.
{
  config,
  lib,
  pkgs,
  utils,
  ...
}:
let
  cfg = config.services.utxoracle;
  inherit (cfg) bitcoin mempool storage;
  guard = import ./guard.nix { inherit config lib utils; };
  hardening = import ./hardening.nix;

  isNeeded = mempool.enable || bitcoin.rpc.user != null;
  given = file: name: if file == null then "${storage.paths.secrets}/${name}" else toString file;
  files = {
    node = given bitcoin.rpc.passwordFile "bitcoin-rpc-password";
    db = given mempool.db.passwordFile "db-password";
    dbRoot = given mempool.db.rootPasswordFile "db-root-password";
  };
  arg = lib.escapeShellArg;
in
{
  config = lib.mkIf (cfg.enable && isNeeded) {
    systemd.services.utxoracle-secrets = lib.mkMerge [
      guard.disk
      guard.often
      {
        description = "Passwords of utxoracle and its mempool stack";
        restartIfChanged = false;
        path = [ pkgs.openssl ];
        script = ''
          set -uo pipefail

          refuse() {
            echo "utxoracle-secrets: $1" >&2
            exit 1
          }

          # hex BYTES: random ones.
          hex() { head -c "$1" /dev/urandom | od -An -v -tx1 | tr -d ' \n'; }

          # make FILE: a password, unless there is one. It is whole on the disk before it has its name.
          make() {
            [ -s "$1" ] && return
            (umask 077 && hex 24 >"$1.new") || refuse "can't write $1"
            sync "$1.new"
            mv "$1.new" "$1"
            sync "$(dirname "$1")"
          }

          # password FILE
          password() {
            local text
            [ -f "$1" ] || refuse "there is no file $1: write the password to it"
            text=$(cat "$1")
            case "$text" in
              "") refuse "$1 is empty: write the password to it" ;;
              *[!A-Za-z0-9_-]*) refuse "the password in $1 may have letters, digits, - and _ only: others break the start script of mempool's back end" ;;
            esac
            printf %s "$text"
          }

          # hand NAME OWNER: what comes on standard input, for that owner alone.
          hand() {
            local new="$RUNTIME_DIRECTORY/$1.new"
            rm -f "$new"
            (umask 077 && cat >"$new")
            chown "$2:$2" "$new"
            mv "$new" "$RUNTIME_DIRECTORY/$1"
          }
        ''
        + lib.optionalString (bitcoin.rpc.user != null) ''

          ${lib.optionalString (bitcoin.rpc.passwordFile == null) "make ${arg files.node}"}
          node=$(password ${arg files.node})
          printf %s "$node" | hand rpc-password utxoracle
        ''
        + lib.optionalString bitcoin.local.enable ''
          salt=$(hex 16)
          hash=$(printf %s "$node" | openssl dgst -sha256 -hmac "$salt" -r | cut -d ' ' -f 1)
          printf 'rpcauth=%s:%s$%s\n' ${arg bitcoin.rpc.user} "$salt" "$hash" |
            hand bitcoind.conf ${toString bitcoin.local.uid}
        ''
        + lib.optionalString mempool.enable ''

          if [ ! -s ${arg files.db} ] && [ -d ${arg "${storage.paths.mysql}/mysql"} ]; then
            refuse "${files.db} is gone, and the database in ${storage.paths.mysql} has the password that was in it: restore that file"
          fi
          # That of MariaDB's root is only used where there is no database yet.
          ${lib.optionalString (mempool.db.passwordFile == null) "make ${arg files.db}"}
          ${lib.optionalString (mempool.db.rootPasswordFile == null) "make ${arg files.dbRoot}"}
          db=$(password ${arg files.db})
          db_root=$(password ${arg files.dbRoot})
          printf 'MARIADB_PASSWORD=%s\nMARIADB_ROOT_PASSWORD=%s\n' "$db" "$db_root" | hand db.env root
          printf 'DATABASE_PASSWORD=%s\nCORE_RPC_PASSWORD=%s\n' "$db" "$node" | hand backend.env root
        ''
        + lib.optionalString (mempool.enable && mempool.electrs.enable) ''
          # Its flags can be read by everybody, so it gets the login as it would get a cookie.
          install -d -m 711 "$RUNTIME_DIRECTORY/electrs"
          printf '%s:%s' ${arg (toString bitcoin.rpc.user)} "$node" | hand electrs/.cookie ${toString mempool.electrs.uid}
        '';
        serviceConfig =
          hardening.base
          // hardening.owner
          // {
            Type = "oneshot";
            TimeoutStartSec = "5min";
            RuntimeDirectory = "utxoracle-secrets";
            RuntimeDirectoryMode = "0711";
            # Whoever keeps theirs in /root may.
            ProtectHome = "read-only";
            # The unit doesn't remain active, but what it hands out is wanted for longer.
            RuntimeDirectoryPreserve = true;
            ReadWritePaths = lib.optional (mempool.enable || bitcoin.local.enable) storage.paths.secrets;
          };
      }
    ];

    services.utxoracle.settings = lib.mkIf (bitcoin.rpc.user != null) {
      UTXORACLE_RPC_USER = bitcoin.rpc.user;
      UTXORACLE_RPC_PASSWORD_FILE = "/run/utxoracle-secrets/rpc-password";
    };
  };
}
