# services.bitcoind.<name> (nixos/modules/services/networking/bitcoind.nix), and the unit and the
# bitcoin.conf that it makes.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  inherit (lib) mkOption types;
  option = type: default: mkOption { inherit type default; };

  instance =
    { name, config, ... }:
    {
      options = {
        enable = option types.bool false;
        package = option types.package pkgs.bitcoind;
        configFile = option (types.nullOr types.path) null;
        dataDir = option types.path "/var/lib/bitcoind-${name}";
        user = option types.str "bitcoind-${name}";
        group = option types.str config.user;
        rpc.port = option (types.nullOr types.port) null;
        pidFile = option types.path "${config.dataDir}/bitcoind.pid";
        testnet = option types.bool false;
        port = option (types.nullOr types.port) null;
        dbCache = option (types.nullOr (types.ints.between 4 16384)) null;
        extraConfig = option types.lines "";
        extraCmdlineOptions = option (types.listOf types.str) [ ];
      };
    };
  instances = lib.filterAttrs (_: one: one.enable) config.services.bitcoind;
in
{
  options.services.bitcoind = option (types.attrsOf (types.submodule instance)) { };

  config = {
    systemd.services = lib.mapAttrs' (name: one: {
      name = "bitcoind-${name}";
      value = {
        description = "Bitcoin daemon";
        wants = [ "network-online.target" ];
        after = [ "network-online.target" ];
        wantedBy = [ "multi-user.target" ];
        serviceConfig = {
          User = one.user;
          Group = one.group;
          # In one line here, in several there.
          ExecStart = lib.concatStringsSep " " (
            [
              "${one.package}/bin/bitcoind"
              "-conf=${
                pkgs.writeTextFile {
                  name = "bitcoin.conf";
                  text = one.extraConfig;
                }
              }"
              "-datadir=${one.dataDir}"
              "-pid=${one.pidFile}"
            ]
            ++ lib.optional (one.port != null) "-port=${toString one.port}"
            ++ lib.optional (one.dbCache != null) "-dbcache=${toString one.dbCache}"
            ++ lib.optional (one.rpc.port != null) "-rpcport=${toString one.rpc.port}"
            ++ one.extraCmdlineOptions
          );
          Restart = "on-failure";
          PrivateTmp = "true";
          ProtectSystem = "full";
          NoNewPrivileges = "true";
          PrivateDevices = "true";
          MemoryDenyWriteExecute = "true";
        };
      };
    }) instances;
    # A rule of tmpfiles there, which makes the folder at each boot and switch.
    systemd.tmpfiles.settings.bitcoind = lib.mapAttrs' (_: one: {
      name = one.dataDir;
      value.d = {
        mode = "0770";
        inherit (one) user group;
      };
    }) instances;
    users.users = lib.mapAttrs' (_: one: {
      name = one.user;
      value = {
        inherit (one) group;
        home = one.dataDir;
        isSystemUser = true;
        description = "Bitcoin daemon user";
      };
    }) instances;
    users.groups = lib.mapAttrs' (_: one: {
      name = one.group;
      value = { };
    }) instances;
  };
}
