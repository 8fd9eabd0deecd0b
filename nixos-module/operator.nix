# The command `utxoracle` for people: with the settings of the units, and as the user who owns the
# prices, so that nobody leaves files behind that the jobs can't write.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  cfg = config.services.utxoracle;
  program = lib.getExe cfg.package;

  command = pkgs.writeShellApplication {
    name = "utxoracle";
    runtimeInputs = [
      config.systemd.package
      pkgs.coreutils
      pkgs.util-linux
    ];
    text = ''
      case "''${1-}" in
        "" | -* | demo) exec ${program} "$@" ;; # mind no settings
        plot | price | simulate) as=caller ;; # write nothing but what they are told to
        backup-mempool-db | doctor | migrate) as=whoever-may ;; # need root, or see more as root
        *) as=utxoracle ;;
      esac

      if [ "$as" != caller ] && [ "$(id -un)" != utxoracle ]; then
        if [ "$(id -u)" != 0 ]; then
          sudo=${config.security.wrapperDir}/sudo
          [ -x "$sudo" ] || { echo "utxoracle: $1 is for root and the user utxoracle: there is no sudo to become one" >&2; exit 1; }
          exec "$sudo" -- "$0" "$@"
        elif [ "$as" = utxoracle ]; then
          exec setpriv --reuid=utxoracle --regid=utxoracle --init-groups --inh-caps=-all --reset-env -- "$0" "$@"
        fi
      fi

      set -a
      # shellcheck source=/dev/null
      . ${cfg.environmentFile}
      set +a
      # The node's password is for the user utxoracle alone; sources before it need none.
      if [ "$as" = caller ] && [ ! -r "''${UTXORACLE_RPC_PASSWORD_FILE-/dev/null}" ]; then
        unset UTXORACLE_RPC_USER UTXORACLE_RPC_PASSWORD_FILE
        UTXORACLE_SOURCE=''${UTXORACLE_SOURCE%% bitcoind+*}
      fi
      ${lib.optionalString (cfg.api.tokenFile != null) ''
        # The API gets its own copy of it; doctor needs it to ask.
        [ ! -r ${lib.escapeShellArg cfg.api.tokenFile} ] || export UTXORACLE_API_TOKEN_FILE=${lib.escapeShellArg cfg.api.tokenFile}
      ''}
      # What alerts remember is on the root disk, and the user has no home.
      export STATE_DIRECTORY=/var/lib/utxoracle
      exec ${program} "$@"
    '';
  };
in
{
  config = lib.mkIf cfg.enable {
    environment.systemPackages = [ command ];
  };
}
