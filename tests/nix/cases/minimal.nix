# The least that a host has to say: its disk, and how to log in to the node that is there.
{
  fileSystems."/" = {
    device = "/dev/disk/by-label/nixos";
    fsType = "ext4";
  };
  fileSystems."/mnt/nvme" = {
    device = "/dev/disk/by-label/nvme";
    fsType = "ext4";
    options = [
      "noatime"
      "nofail"
    ];
  };

  services.utxoracle = {
    enable = true;
    storage.base = "/mnt/nvme/prod/apps";
    bitcoin.rpc = {
      user = "mempool";
      passwordFile = "/etc/secrets/bitcoin-rpc-password";
    };
  };
}
