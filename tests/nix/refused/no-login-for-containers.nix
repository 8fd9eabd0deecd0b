{
  message = "a container can't follow a cookie";
  module = {
    fileSystems."/mnt/nvme" = {
      device = "/dev/disk/by-label/nvme";
      fsType = "ext4";
    };
    services.utxoracle.enable = true;
    services.utxoracle.storage.base = "/mnt/nvme/apps";
    services.utxoracle.bitcoin.rpc.cookieFile = "/var/lib/bitcoind/.cookie";
  };
}
