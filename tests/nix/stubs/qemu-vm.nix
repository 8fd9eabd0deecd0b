# What machines of the flake set beside the module, and what a VM makes of it
# (nixos/modules/virtualisation/qemu-vm.nix): its file systems take the place of all others. Only
# machines have this stub; on a host of its own the module sets nothing of it.
{ config, lib, ... }:
let
  inherit (lib) mkOption types;
  option = type: default: mkOption { inherit type default; };
  cfg = config.virtualisation;

  fileSystem = types.submodule {
    options = {
      device = option (types.nullOr types.str) null;
      fsType = mkOption { type = types.str; };
      options = option (types.nonEmptyListOf types.str) [ "defaults" ];
      autoFormat = option types.bool false;
    };
  };
in
{
  options = {
    virtualisation = {
      cores = option types.ints.positive 1;
      diskImage = option (types.nullOr types.str) "./nixos.qcow2";
      diskSize = option types.ints.positive 1024;
      emptyDiskImages = option (types.listOf (
        types.submodule {
          options = {
            size = mkOption { type = types.ints.positive; };
            driveConfig.deviceExtraOpts = option (types.attrsOf types.str) { };
          };
        }
      )) [ ];
      fileSystems = option (types.attrsOf fileSystem) { };
      forwardPorts = option (types.listOf (
        types.submodule {
          options = {
            from = option (types.enum [
              "host"
              "guest"
            ]) "host";
            host.address = option types.str "";
            host.port = mkOption { type = types.port; };
            guest.port = mkOption { type = types.port; };
          };
        }
      )) [ ];
      graphics = option types.bool true;
      memorySize = option types.ints.positive 1024;
    };
    documentation.enable = option types.bool true;
    networking.hostName = option types.str "nixos";
    services.getty.autologinUser = option (types.nullOr types.str) null;
    system.stateVersion = mkOption { type = types.str; };
    systemd.packages = option (types.listOf types.package) [ ];
    users.motd = option (types.nullOr types.lines) null;
  };

  config = {
    virtualisation.fileSystems."/" = {
      device = "/dev/vda";
      fsType = "ext4";
    };
    fileSystems = lib.mkOverride 10 (
      lib.mapAttrs (_: one: removeAttrs one [ "autoFormat" ]) cfg.fileSystems
    );
    system.stateVersion = lib.mkOverride 1200 "26.05";
    rendered.vm = {
      inherit (cfg)
        diskImage
        emptyDiskImages
        fileSystems
        forwardPorts
        ;
      inherit (config.users) motd;
    };
  };
}
