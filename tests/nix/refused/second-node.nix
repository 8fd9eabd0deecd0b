{
  message = "there is one already: services.bitcoind.main";
  module = {
    fileSystems."/mnt/nvme" = {
      device = "/dev/disk/by-label/nvme";
      fsType = "ext4";
    };
    services.utxoracle.enable = true;
    services.utxoracle.storage.base = "/mnt/nvme/apps";
    services.utxoracle.bitcoin.local.enable = true;
    services.bitcoind.main.enable = true;
  };
}
