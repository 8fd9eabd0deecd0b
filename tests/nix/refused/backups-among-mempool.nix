{
  message = "backup.directory (/mnt/nvme/apps/mempool/backups) is below one of ";
  module = {
    fileSystems."/mnt/nvme" = {
      device = "/dev/disk/by-label/nvme";
      fsType = "ext4";
    };
    services.utxoracle.enable = true;
    services.utxoracle.storage.base = "/mnt/nvme/apps";
    services.utxoracle.mempool.enable = false;
    services.utxoracle.settings.UTXORACLE_SOURCE = "mempool+http://127.0.0.1:8999";
    services.utxoracle.backup.directory = "/mnt/nvme/apps/mempool/backups";
  };
}
