{
  message = "bitcoin.rpc.cookieFile (/home/alice/.bitcoin/.cookie) is below one of /home, ";
  module = {
    fileSystems."/mnt/nvme" = {
      device = "/dev/disk/by-label/nvme";
      fsType = "ext4";
    };
    services.utxoracle.enable = true;
    services.utxoracle.storage.base = "/mnt/nvme/apps";
    services.utxoracle.mempool.enable = false;
    services.utxoracle.bitcoin.rpc.cookieFile = "/home/alice/.bitcoin/.cookie";
  };
}
