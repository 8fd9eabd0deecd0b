# For people who run mempool already: their back end is the source.
{
  fileSystems."/mnt/nvme" = {
    device = "/dev/disk/by-label/nvme";
    fsType = "ext4";
  };

  services.utxoracle = {
    enable = true;
    storage.base = "/mnt/nvme/utxoracle";
    mempool.enable = false;
    settings.UTXORACLE_SOURCE = "mempool+http://127.0.0.1:8999";
  };
}
