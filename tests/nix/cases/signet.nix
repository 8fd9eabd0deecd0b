# A test network, with a node of the module itself.
{
  fileSystems."/mnt/nvme" = {
    device = "/dev/disk/by-label/nvme";
    fsType = "ext4";
  };

  services.utxoracle = {
    enable = true;
    network = "signet";
    storage.base = "/mnt/nvme/signet";
    bitcoin.local.enable = true;
  };
}
