# For tests with a real systemd and no network: images that are made on the spot.
{
  fileSystems."/mnt/nvme" = {
    device = "/dev/disk/by-label/nvme";
    fsType = "ext4";
  };

  services.utxoracle = {
    enable = true;
    network = "regtest";
    storage = {
      base = "/mnt/nvme/prod/apps";
      minFreeGiB = 0;
    };
    bitcoin.rpc = {
      user = "mempool";
      passwordFile = "/etc/secrets/bitcoin-rpc-password";
    };
    mempool = {
      pull = "never";
      images = {
        db.image = "localhost/mempool-db:test";
        electrs.image = "localhost/mempool-electrs:test";
        backend.image = "localhost/mempool-backend:test";
        frontend.image = "localhost/mempool-frontend:test";
      };
    };
    alerts.urlFile = "/etc/utxoracle/alert-url";
    backup.mempool.enable = true;
  };
}
