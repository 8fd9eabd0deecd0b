# The rest of what the module sets or reads: file systems, users, /etc, firewall.
{ lib, ... }:
let
  inherit (lib) mkOption types;
  option = type: default: mkOption { inherit type default; };
  ports = option (types.listOf types.port) [ ];
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

    fileSystems = option (types.attrsOf (
      types.submodule (
        { name, ... }:
        {
          options = {
            mountPoint = option types.str name;
            device = option (types.nullOr types.str) null;
            fsType = mkOption { type = types.str; };
            options = option (types.nonEmptyListOf types.str) [ "defaults" ];
          };
        }
      )
    )) { };

    networking.firewall = {
      allowedTCPPorts = ports;
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
        types.submodule {
          options = {
            uid = option (types.nullOr types.int) null;
            group = option types.str "";
            isSystemUser = option types.bool false;
            home = option types.path "/var/empty";
            description = option types.str "";
            extraGroups = option (types.listOf types.str) [ ];
          };
        }
      )) { };
      groups = option (types.attrsOf (
        types.submodule { options.gid = option (types.nullOr types.int) null; }
      )) { };
    };
  };
}
