# A node on another machine, which containers ask without a proxy; with nftables.
{
  fileSystems."/mnt/nvme" = {
    device = "/dev/disk/by-label/nvme";
    fsType = "ext4";
  };

  networking.nftables.enable = true;

  services.utxoracle = {
    enable = true;
    storage.base = "/mnt/nvme/prod/apps";
    bitcoin.rpc = {
      host = "192.168.1.20";
      user = "mempool";
      passwordFile = "/etc/secrets/bitcoin-rpc-password";
    };
  };
}
