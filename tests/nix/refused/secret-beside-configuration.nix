{
  message = "services.utxoracle.alerts.urlFile points into the Nix store";
  module = {
    fileSystems."/mnt/nvme" = {
      device = "/dev/disk/by-label/nvme";
      fsType = "ext4";
    };
    services.utxoracle.enable = true;
    services.utxoracle.storage.base = "/mnt/nvme/apps";
    services.utxoracle.mempool.enable = false;
    services.utxoracle.settings.UTXORACLE_SOURCE = "mempool+http://127.0.0.1:8999";
    services.utxoracle.alerts.urlFile = ./alert-url;
  };
}
