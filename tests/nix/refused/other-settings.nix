{
  message = "all settings begin with UTXORACLE_, and these don't: MEMPOOL_AUDIT";
  module = {
    fileSystems."/mnt/nvme" = {
      device = "/dev/disk/by-label/nvme";
      fsType = "ext4";
    };
    services.utxoracle.enable = true;
    services.utxoracle.storage.base = "/mnt/nvme/apps";
    services.utxoracle.mempool.enable = false;
    services.utxoracle.settings.UTXORACLE_SOURCE = "mempool+http://127.0.0.1:8999";
    services.utxoracle.settings.MEMPOOL_AUDIT = "true";
  };
}
