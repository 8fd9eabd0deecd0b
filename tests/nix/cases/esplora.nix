# mempool's own electrs, to which the back end leaves blocks.
{
  fileSystems."/mnt/nvme" = {
    device = "/dev/disk/by-label/nvme";
    fsType = "ext4";
  };

  services.utxoracle = {
    enable = true;
    storage.base = "/mnt/nvme/prod/apps";
    mempool.electrs.mode = "esplora";
    bitcoin.rpc = {
      user = "mempool";
      passwordFile = "/etc/secrets/bitcoin-rpc-password";
    };
  };
}
