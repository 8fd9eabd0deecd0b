# nix-bitcoin, whose module replaces nixpkgs' services.bitcoind by options for a single node.
{ lib, ... }:
{
  disabledModules = [ ../stubs/bitcoind.nix ];
  options.services.bitcoind.enable = lib.mkEnableOption "the node of nix-bitcoin";

  config = {
    fileSystems."/mnt/nvme" = {
      device = "/dev/disk/by-label/nvme";
      fsType = "ext4";
    };

    services.bitcoind.enable = true;
    services.utxoracle = {
      enable = true;
      storage.base = "/mnt/nvme/utxoracle";
      mempool.enable = false;
      settings.UTXORACLE_SOURCE = "mempool+http://127.0.0.1:8999 bitcoind+http://127.0.0.1:8332?cookie=/var/lib/bitcoind/.cookie";
    };
    users.users.utxoracle.extraGroups = [ "bitcoin" ];
  };
}
