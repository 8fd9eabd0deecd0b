# Nothing but the API, over prices that something else brings.
{
  fileSystems."/mnt/nvme" = {
    device = "/dev/disk/by-label/nvme";
    fsType = "ext4";
  };

  services.utxoracle = {
    enable = true;
    storage.base = "/mnt/nvme/utxoracle";
    mempool.enable = false;
    settings.UTXORACLE_SOURCE = "mempool+https://mempool.example.org";
    analysis.enable = false;
    backup.enable = false;
    logs.enable = false;
  };
}
