{
  message = "storage.base (/home/alice/apps) is below one of /home, ";
  module = {
    fileSystems."/home" = {
      device = "/dev/disk/by-label/nvme";
      fsType = "ext4";
    };
    services.utxoracle.enable = true;
    services.utxoracle.storage.base = "/home/alice/apps";
    services.utxoracle.mempool.enable = false;
    services.utxoracle.settings.UTXORACLE_SOURCE = "mempool+http://127.0.0.1:8999";
  };
}
