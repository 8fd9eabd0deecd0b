# A disk that the module itself mounts.
{
  services.utxoracle = {
    enable = true;
    storage = {
      base = "/mnt/nvme/prod/apps";
      mountPoint = "/mnt/nvme";
      device = "/dev/disk/by-label/nvme-disk";
      fsType = "xfs";
    };
    # On the same disk.
    backup.directory = "/mnt/nvme/backups";
    bitcoin.rpc = {
      user = "mempool";
      passwordFile = "/etc/secrets/bitcoin-rpc-password";
    };
  };
}
