# A node and its cookie, without mempool: no exchange prices.
{
  fileSystems."/mnt/nvme" = {
    device = "/dev/disk/by-label/nvme";
    fsType = "ext4";
  };

  services.utxoracle = {
    enable = true;
    storage.base = "/mnt/nvme/utxoracle";
    # On the disk of the system.
    backup.directory = "/var/backup/utxoracle";
    mempool.enable = false;
    bitcoin.rpc.cookieFile = "/var/lib/bitcoind-mainnet/.cookie";
  };
  users.users.utxoracle.extraGroups = [ "bitcoind-mainnet" ];
}
