# Of the stack, what prices need and nothing else.
{
  fileSystems."/mnt/nvme" = {
    device = "/dev/disk/by-label/nvme";
    fsType = "ext4";
  };

  services.utxoracle = {
    enable = true;
    storage.base = "/mnt/nvme/prod/apps";
    mempool = {
      electrs.enable = false;
      web.enable = false;
    };
    bitcoin.rpc = {
      user = "mempool";
      passwordFile = "/etc/secrets/bitcoin-rpc-password";
    };
  };
}
