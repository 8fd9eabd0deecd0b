# A machine with a small root disk and a large NVMe disk, on which all data lies. What is marked
# with CHANGE is yours to fill in; `nixos-generate-config` tells most of it.
{
  # CHANGE: how this machine boots, and from what. Modules and file systems may also come from
  #   imports = [ ./hardware-configuration.nix ];
  # which has the next line too.
  nixpkgs.hostPlatform = "x86_64-linux";
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

  nix.settings.experimental-features = [
    "nix-command"
    "flakes"
  ];
  programs.git.enable = true; # which fetches the repository

  # CHANGE: name, time zone, and who may log in, from outside by a key alone until there is a password.
  # sudo asks for one: `passwd operator` as root, or
  #   security.sudo.wheelNeedsPassword = false;
  networking.hostName = "appliance";
  time.timeZone = "UTC";
  services.openssh.enable = true;
  users.users.operator = {
    isNormalUser = true;
    uid = 1001; # 1000 is that of mempool's back end, whose passwords it could read
    extraGroups = [ "wheel" ];
    openssh.authorizedKeys.keys = [
      # CHANGE: "ssh-ed25519 AAAA… you@home"
    ];
  };

  services.utxoracle = {
    enable = true;
    # CHANGE: the large disk, 256 GB beside a mainnet node that is there, 2 TB with one of its own.
    # Made once, by `mkfs.ext4 -L nvme /dev/nvme1n1p1`. Without it the machine boots all the same,
    # and the appliance waits for it: nothing of it is ever written to the root disk instead.
    storage = {
      device = "/dev/disk/by-label/nvme";
      mountPoint = "/mnt/nvme";
      base = "/mnt/nvme/prod/apps"; # all folders are made below it
    };

    # CHANGE: the node, here Bitcoin Core that is on this machine already. docs/nixos.md tells how the
    # password and the line rpcauth= of its bitcoin.conf are made. For one of its own, on the same
    # disk, instead of these two:
    #   bitcoin.local.enable = true;
    bitcoin.rpc.user = "utxoracle";
    bitcoin.rpc.passwordFile = "/etc/secrets/bitcoin-rpc-password";

    # The page and the API are for this machine only. For the whole network at home:
    #   api.address = "0.0.0.0";
    #   openFirewall = true;
  };

  # The release that this machine was installed with; it stays when you upgrade.
  system.stateVersion = "26.05";
}
