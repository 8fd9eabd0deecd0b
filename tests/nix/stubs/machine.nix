# The rest of what the module sets or reads: file systems, users, /etc, firewall.
{ config, lib, ... }:
let
  inherit (lib) mkOption types;
  option = type: default: mkOption { inherit type default; };
  ports = option (types.listOf types.port) [ ] // {
    apply = found: lib.unique (lib.sort lib.lessThan found);
  };

  # Names of those that have a number of another.
  twice =
    number: all:
    let
      numbered = lib.filterAttrs (_: one: one.${number} != null) all;
    in
    lib.attrNames (
      lib.filterAttrs (
        _: one: lib.count (other: other.${number} == one.${number}) (lib.attrValues numbered) > 1
      ) numbered
    );
  inherit (config.users) groups users;
in
{
  options = {
    assertions = option (types.listOf types.unspecified) [ ];
    warnings = option (types.listOf types.str) [ ];

    environment = {
      etc = option (types.attrsOf (
        types.submodule { options.source = mkOption { type = types.path; }; }
      )) { };
      systemPackages = option (types.listOf types.package) [ ];
    };

    fileSystems =
      option (types.attrsOf (
        types.submodule (
          { name, config, ... }:
          {
            options = {
              enable = option types.bool true;
              mountPoint = option types.str name;
              label = option (types.nullOr types.str) null;
              device = option (types.nullOr types.str) null;
              fsType = mkOption { type = types.str; };
              options = option (types.nonEmptyListOf types.str) [ "defaults" ];
            };
            config.device = lib.mkIf (config.label != null) (
              lib.mkDefault "/dev/disk/by-label/${config.label}"
            );
          }
        )
      )) { }
      // {
        apply = lib.filterAttrs (_: one: one.enable);
      };

    networking.nftables = {
      enable = option types.bool false;
      tables = option (types.attrsOf (
        types.submodule {
          options = {
            family = mkOption {
              type = types.enum [
                "ip"
                "ip6"
                "inet"
                "arp"
                "bridge"
                "netdev"
              ];
            };
            content = mkOption { type = types.lines; };
          };
        }
      )) { };
    };
    networking.firewall = {
      enable = option types.bool true;
      logRefusedConnections = option types.bool true;
      allowedTCPPorts = ports;
      extraCommands = option types.lines "";
      extraStopCommands = option types.lines "";
      interfaces = option (types.attrsOf (
        types.submodule {
          options = {
            allowedTCPPorts = ports;
            allowedUDPPorts = ports;
          };
        }
      )) { };
    };

    security.wrapperDir = option types.path "/run/wrappers/bin";

    users = {
      users = option (types.attrsOf (
        types.submodule (
          { config, ... }:
          {
            config.group = lib.mkIf config.isNormalUser (lib.mkDefault "users");
            options = {
              uid = option (types.nullOr types.int) null;
              group = option types.str "";
              isNormalUser = option types.bool false;
              isSystemUser = option types.bool false;
              home = option types.path "/var/empty";
              description = option types.str "";
              extraGroups = option (types.listOf types.str) [ ];
            };
          }
        )
      )) { };
      groups = option (types.attrsOf (
        types.submodule { options.gid = option (types.nullOr types.int) null; }
      )) { };
    };
  };

  config.users.groups.users = lib.mkIf (lib.any (one: one.isNormalUser) (lib.attrValues users)) {
    gid = 100;
  };

  # nixpkgs' own, as far as the module could break them.
  config.assertions = [
    {
      assertion = lib.all (user: groups ? ${user.group}) (lib.attrValues users);
      message = "users.users: a user has a group that isn't declared in users.groups";
    }
    {
      assertion = lib.all (user: user.isSystemUser != user.isNormalUser) (lib.attrValues users);
      message = "users.users: exactly one of isSystemUser and isNormalUser must be set";
    }
    {
      assertion = twice "uid" users == [ ] && twice "gid" groups == [ ];
      message =
        "users: an id is there twice: "
        + lib.concatStringsSep " " (twice "uid" users ++ twice "gid" groups);
    }
  ];
}
