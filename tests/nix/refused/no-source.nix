{
  message = "utxoracle has no source of blocks";
  module = {
    fileSystems."/mnt/nvme" = {
      device = "/dev/disk/by-label/nvme";
      fsType = "ext4";
    };
    services.utxoracle.enable = true;
    services.utxoracle.storage.base = "/mnt/nvme/apps";
    services.utxoracle.mempool.enable = false;
  };
}
