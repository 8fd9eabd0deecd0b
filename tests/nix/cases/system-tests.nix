# For tests with a real systemd and no network: images that are made on the spot.
{
  services.utxoracle = {
    enable = true;
    network = "regtest";
    storage = {
      base = "/mnt/nvme/prod/apps";
      mountPoint = "/mnt/nvme";
      device = "/dev/disk/by-label/nvme";
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
    # Six times a minute: what a timer starts needn't be waited for.
    analysis.onCalendar = "*:*:0/10";
    # The chain of a test that begins at any hour.
    settings.UTXORACLE_STALL_MINUTES = 1440;
    alerts.urlFile = "/etc/utxoracle/alert-url";
    backup.mempool.enable = true;
  };
}
