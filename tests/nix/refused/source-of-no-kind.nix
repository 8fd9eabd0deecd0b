{
  message = "isn't one source, or several with spaces between";
  module = {
    fileSystems."/mnt/nvme" = {
      device = "/dev/disk/by-label/nvme";
      fsType = "ext4";
    };
    services.utxoracle.enable = true;
    services.utxoracle.storage.base = "/mnt/nvme/apps";
    services.utxoracle.mempool.enable = false;
    services.utxoracle.settings.UTXORACLE_SOURCE = "http://127.0.0.1:8999";
  };
}
