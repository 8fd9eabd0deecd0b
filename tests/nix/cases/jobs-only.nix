# Prices are kept, from a server on the internet, and nobody is served.
{
  fileSystems."/mnt/nvme" = {
    device = "/dev/disk/by-label/nvme";
    fsType = "ext4";
  };

  services.utxoracle = {
    enable = true;
    storage.base = "/mnt/nvme/utxoracle";
    mempool.enable = false;
    settings = {
      UTXORACLE_SOURCE = "mempool+https://mempool.example.org";
      UTXORACLE_ALERT_URL = "http://127.0.0.1:9000/hook";
    };
    api.enable = false;
  };
}
