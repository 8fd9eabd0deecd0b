# A node of the module itself.
{
  fileSystems."/mnt/nvme" = {
    device = "/dev/disk/by-label/nvme";
    fsType = "ext4";
  };

  services.utxoracle = {
    enable = true;
    storage.base = "/mnt/nvme/prod/apps";
    bitcoin.local = {
      enable = true;
      dbCache = 4096;
      extraConfig = "maxconnections=20";
    };
  };
}
