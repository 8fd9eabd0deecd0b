{
  message = "there is one already: services.bitcoind.other";
  module = {
    fileSystems."/mnt/nvme" = {
      device = "/dev/disk/by-label/nvme";
      fsType = "ext4";
    };
    services.utxoracle.enable = true;
    services.utxoracle.storage.base = "/mnt/nvme/apps";
    services.utxoracle.bitcoin.local.enable = true;
    services.bitcoind.other = {
      enable = true;
      rpc.port = 9332;
    };
  };
}
