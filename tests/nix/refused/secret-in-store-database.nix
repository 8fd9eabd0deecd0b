{
  message = "services.utxoracle.mempool.db.passwordFile points into the Nix store";
  module = {
    fileSystems."/mnt/nvme" = {
      device = "/dev/disk/by-label/nvme";
      fsType = "ext4";
    };
    services.utxoracle.enable = true;
    services.utxoracle.storage.base = "/mnt/nvme/apps";
    services.utxoracle.bitcoin.rpc = {
      user = "mempool";
      passwordFile = "/etc/secrets/bitcoin-rpc-password";
    };
    services.utxoracle.mempool.db.passwordFile = "/nix/store/00000000000000000000000000000000-secret";
  };
}
