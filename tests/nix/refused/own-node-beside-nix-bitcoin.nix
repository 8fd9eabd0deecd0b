{
  message = "another module has taken its place";
  module =
    { lib, ... }:
    {
      disabledModules = [ ../stubs/bitcoind.nix ];
      options.services.bitcoind.enable = lib.mkEnableOption "the node of nix-bitcoin";
      config = {
        fileSystems."/mnt/nvme" = {
          device = "/dev/disk/by-label/nvme";
          fsType = "ext4";
        };
        services.utxoracle.enable = true;
        services.utxoracle.storage.base = "/mnt/nvme/apps";
        services.utxoracle.bitcoin.local.enable = true;
      };
    };
}
