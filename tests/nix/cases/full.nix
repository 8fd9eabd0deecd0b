# Everything that can be turned on, for others on the network as well.
{
  fileSystems."/mnt/nvme" = {
    device = "/dev/disk/by-label/nvme";
    fsType = "ext4";
  };
  fileSystems."/mnt/usb" = {
    device = "/dev/disk/by-label/usb";
    fsType = "ext4";
    options = [ "nofail" ];
  };

  services.utxoracle = {
    enable = true;
    openFirewall = true;
    storage = {
      base = "/mnt/nvme/prod/apps";
      minFreeGiB = 20;
    };
    bitcoin.rpc = {
      user = "mempool";
      passwordFile = "/run/secrets/bitcoin-rpc-password";
      cookieFile = "/var/lib/bitcoind-mainnet/.cookie";
    };
    mempool.settings = {
      MEMPOOL_INDEXING_BLOCKS_AMOUNT = 52560;
      MEMPOOL_AUDIT = true;
    };
    analysis = {
      onCalendar = "*:0/5";
      extraArgs = [
        "--verbose"
        "--max-blocks"
        "100"
      ];
    };
    backup = {
      directory = "/mnt/usb/utxoracle";
      keepDays = 90;
      mempool.enable = true;
    };
    alerts = {
      urlFile = "/etc/utxoracle/alert-url";
      secretFile = "/etc/utxoracle/alert-secret";
    };
    api = {
      address = "0.0.0.0";
      allow = [
        "localhost"
        "192.168.1.0/24"
      ];
      workers = 4;
      tokenFile = "/run/secrets/utxoracle-token";
    };
    settings = {
      UTXORACLE_STALL_MINUTES = 120;
      UTXORACLE_DIVERGENCE = 2.5;
      UTXORACLE_API_OPEN = "page health";
    };
  };
}
