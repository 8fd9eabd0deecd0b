{
  message = "Do one of these three:";
  module = {
    services.utxoracle.enable = true;
    services.utxoracle.storage.base = "/mnt/nvme/apps";
    services.utxoracle.mempool.enable = false;
    services.utxoracle.settings.UTXORACLE_SOURCE = "mempool+http://127.0.0.1:8999";
  };
}
