# The whole appliance in a throw-away VM: `nix run .#vm`. Nothing of it is left when it ends.
{
  config,
  lib,
  modulesPath,
  pkgs,
  ...
}:
let
  utxoracle = lib.getExe config.services.utxoracle.package;
  port = config.services.utxoracle.api.port;
  node = config.services.utxoracle.bitcoin.rpc.port;
  password = "/etc/secrets/bitcoin-rpc-password";
  # About five days lie behind the newest block at the start, which is some hours old, since the days
  # of a simulated chain have more blocks or fewer; it goes on for a month.
  simulate = pkgs.writeShellScript "simulated-node" ''
    minutes=$(( 10#$(date -u +%H) * 60 + 10#$(date -u +%M) ))
    exec ${utxoracle} simulate --serve --port ${toString node} \
      --start "$(date -u -d '5 days ago' +%F)" --days 35 --transactions 150 \
      --tip $(( 840 + 5 * 144 + minutes / 10 )) --block-every 600
  '';
in
{
  imports = [
    "${modulesPath}/virtualisation/qemu-vm.nix"
    ../virtual-nvme.nix
  ];

  virtualisation = {
    # The root disk is memory, and the others are new files below $TMPDIR at each start.
    diskImage = null;
    emptyDiskImages = [
      {
        size = 8192;
        driveConfig.deviceExtraOpts.serial = "containers";
      }
    ];
    fileSystems."/var/lib/containers" = {
      device = "/dev/disk/by-id/virtio-containers";
      fsType = "ext4";
      autoFormat = true;
    };
    memorySize = 4096;
    cores = 2;
    graphics = false;
    forwardPorts = [
      {
        from = "host";
        host.address = "127.0.0.1";
        host.port = 8000;
        guest.port = port;
      }
    ];
  };

  services.utxoracle = {
    enable = true;
    network = "regtest";
    storage.base = "/mnt/nvme/prod/apps";
    storage.minFreeGiB = 1;
    bitcoin.rpc.user = "mempool";
    bitcoin.rpc.passwordFile = password;
    # It reaches no registry, and there is no chain but the simulated one.
    mempool.pull = "never";
    mempool.images = import ../images { inherit lib pkgs; };
    # QEMU forwards to the address of the machine's network card, not to its loopback.
    api.address = "0.0.0.0";
    api.allow = [
      "localhost"
      # QEMU's own network: your machine, and nobody else.
      "10.0.2.0/24"
    ];
    openFirewall = true;
    # A simulated block comes every ten minutes too; the first one needn't be waited for.
    analysis.onCalendar = "minutely";
    # Simulated blocks are at times further apart, or ahead of the clock.
    settings.UTXORACLE_STALL_MINUTES = 1440;
  };

  systemd.services.simulated-node = {
    description = "A simulated chain, as a node and a mempool back end show it";
    wantedBy = [ "multi-user.target" ];
    before = [ "utxoracle-analyze.service" ];
    serviceConfig = {
      ExecStart = simulate;
      DynamicUser = true;
      Restart = "on-failure";
    };
  };

  # The simulated node asks nobody for it.
  systemd.tmpfiles.settings.utxoracle-vm = {
    "/etc/secrets".d.mode = "0700";
    ${password}.f = {
      mode = "0600";
      argument = "simulated";
    };
  };

  networking.hostName = "utxoracle";
  services.getty.autologinUser = "root";
  users.motd = ''

    utxoracle on a simulated chain, with all of mempool's containers; they take a minute to
    start, prices another. The page: http://localhost:8000 (on your machine).

    Try here:   utxoracle status
                utxoracle doctor
                podman ps
                systemctl list-timers 'utxoracle-*'
                journalctl -u utxoracle-analyze -f
                systemctl start utxoracle-backup && utxoracle backups
                curl -s localhost:${toString port}/api/prices/latest
    To end it:  poweroff

  '';

  documentation.enable = false;
  system.stateVersion = "26.05";
}
