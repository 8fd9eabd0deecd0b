{
  message = "say where the device is to be mounted";
  module = {
    services.utxoracle.enable = true;
    services.utxoracle.storage.base = "/mnt/nvme/apps";
    services.utxoracle.mempool.enable = false;
    services.utxoracle.settings.UTXORACLE_SOURCE = "mempool+http://127.0.0.1:8999";
    services.utxoracle.storage.device = "/dev/disk/by-label/nvme";
    services.utxoracle.storage.mountPoint = null;
  };
}
