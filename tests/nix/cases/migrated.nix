# What utxoracle migrate prints for a stack that was set up by hand.
{
  fileSystems."/mnt/nvme" = {
    device = "/dev/disk/by-label/nvme";
    fsType = "ext4";
  };

  services.utxoracle = {
    enable = true;
    network = "mainnet";
    storage.base = "/mnt/nvme/prod/apps";
    bitcoin.rpc = {
      host = "127.0.0.1";
      port = 8332;
      user = "mempool";
      passwordFile = "/mnt/nvme/prod/apps/mempool/config/secrets/bitcoin-rpc-password";
    };
    mempool = {
      backend.port = 8998;
      web.port = 8081;
      db = {
        uid = 999;
        passwordFile = "/mnt/nvme/prod/apps/mempool/config/secrets/db-password";
        rootPasswordFile = "/mnt/nvme/prod/apps/mempool/config/secrets/db-root-password";
      };
      settings = {
        DATABASE_DATABASE = "explorer";
        DATABASE_USERNAME = "explorer";
        MEMPOOL_POLL_RATE_MS = "1000";
      };
    };
    api.port = 8001;
    settings = {
      UTXORACLE_MIN_CONFIDENCE = 0.5;
      UTXORACLE_ALERT_URL_FILE = "/etc/utxoracle/alert-url";
    };
  };
}
