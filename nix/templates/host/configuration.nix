# A machine with a small root disk and a large NVMe disk, on which all data lies. What is marked
# with CHANGE is yours to fill in; `nixos-generate-config` tells most of it.
{
  # CHANGE: how this machine boots, and from what.
  boot.loader.systemd-boot.enable = true;
  boot.loader.efi.canTouchEfiVariables = true;
  boot.initrd.availableKernelModules = [
    "ahci"
    "nvme"
    "sd_mod"
    "xhci_pci"
  ];
  fileSystems."/" = {
    device = "/dev/disk/by-label/nixos";
    fsType = "ext4";
  };
  fileSystems."/boot" = {
    device = "/dev/disk/by-label/boot";
    fsType = "vfat";
  };

  # CHANGE: name, time zone, and who may log in.
  networking.hostName = "appliance";
  time.timeZone = "UTC";
  services.openssh.enable = true;
  users.users.operator = {
    isNormalUser = true;
    extraGroups = [ "wheel" ];
    openssh.authorizedKeys.keys = [
      # "ssh-ed25519 AAAA… you@home"
    ];
  };

  services.utxoracle = {
    enable = true;
    # CHANGE: the large disk, 2 TB for a mainnet node with its indexes. Made once, by
    # `mkfs.ext4 -L nvme /dev/nvme0n1p1`. Without it the machine boots all the same, and the
    # appliance waits for it: nothing of it is ever written to the root disk instead.
    storage = {
      device = "/dev/disk/by-label/nvme";
      mountPoint = "/mnt/nvme";
      base = "/mnt/nvme/prod/apps"; # all folders are made below it
    };

    # Bitcoin Core on this machine, on the same disk. For one that is there already, instead:
    #   bitcoin.rpc.host = "127.0.0.1";
    #   bitcoin.rpc.user = "utxoracle";
    #   bitcoin.rpc.passwordFile = "/root/secrets/rpc-password";
    bitcoin.local.enable = true;

    # The page and the API are for this machine only. For the whole network at home:
    #   api.address = "0.0.0.0";
    #   openFirewall = true;
  };

  # The release that this machine was installed with; it stays when you upgrade.
  system.stateVersion = "26.05";
}
