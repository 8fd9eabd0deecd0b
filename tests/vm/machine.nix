# The host of the scenarios that has the appliance: the configuration of tests/system, a disk in the
# place of the NVMe disk, and the world around it.
{
  config,
  lib,
  pkgs,
  utils,
  ...
}:
let
  inherit (config.services.utxoracle) package storage;

  # They are the host's here and in tests/system.
  ofBoth = ../system/guest;
  programs = [
    "drop-writes"
    "load-api"
    "owner-secrets"
    "simulated-node"
    "webhook"
  ];
  units = lib.genAttrs [
    "owner-secrets"
    "simulated-node"
    "webhook"
  ] (name: lib.readFile (ofBoth + "/${name}.service"));

  world =
    pkgs.runCommand "world"
      {
        # For the first lines of programs.
        nativeBuildInputs = [ pkgs.python3 ];
      }
      ''
        mkdir -p $out/bin $out/lib/systemd/system
        cp ${ofBoth}/{${lib.concatStringsSep "," programs}} ${./guest}/* $out/bin
        chmod +x $out/bin/*
        patchShebangs --build $out/bin
        for name in ${toString (lib.attrNames units)}; do
          sed -e "s,@$name@,$out," -e "s,@utxoracle@,${package}," \
            ${ofBoth}/$name.service >$out/lib/systemd/system/$name.service
        done
      '';
in
{
  imports = [ ../nix/cases/system-tests.nix ];

  services.utxoracle.mempool.images = import ../../nix/images { inherit lib pkgs; };

  virtualisation = {
    memorySize = 4096;
    cores = 2;
    # For the images of the containers.
    diskSize = 8192;
    emptyDiskImages = [
      {
        size = 4096;
        driveConfig.deviceExtraOpts.serial = "nvme";
      }
    ];
    # The file systems of a VM take the place of all others. It is the module's.
    fileSystems.${storage.mountPoint} = {
      inherit (storage) device fsType;
      options = [
        "noatime"
        "nofail"
        "x-systemd.device-timeout=30s"
        "x-systemd.wanted-by=${utils.escapeSystemdPath storage.device}.device"
      ];
    };
  };

  # A scan of all ports would be as many lines on the console.
  networking.firewall.logRefusedConnections = false;

  environment.systemPackages = [
    world
    pkgs.curl
    pkgs.iproute2
    pkgs.openssl
    pkgs.python3
  ];

  systemd.packages = [ world ];
  systemd.services =
    lib.mapAttrs (_: unit: {
      wantedBy = builtins.match ".*\nWantedBy=([^\n]*)\n.*" unit;
    }) units
    // {
      prepare-disk = {
        description = "File system of the NVMe disk";
        # Before anything is mounted.
        wantedBy = [ "local-fs.target" ];
        wants = [ "local-fs-pre.target" ];
        before = [ "local-fs-pre.target" ];
        after = [
          "systemd-remount-fs.service"
          "systemd-udev-trigger.service"
        ];
        unitConfig.DefaultDependencies = false;
        path = [
          world
          pkgs.e2fsprogs
          pkgs.util-linux
        ];
        serviceConfig = {
          Type = "oneshot";
          RemainAfterExit = true;
          ExecStart = "${world}/bin/prepare-disk";
        };
      };
    };
}
