# Consent to the disk of the system.
{
  services.utxoracle = {
    enable = true;
    storage = {
      base = "/srv/utxoracle";
      mountPoint = null;
    };
    mempool.enable = false;
    settings.UTXORACLE_SOURCE = "mempool+http://127.0.0.1:8999";
  };
}
