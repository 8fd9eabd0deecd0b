# A disk of a virtual machine in the place of the NVMe disk: empty at first, 8 GB where it is used.
{
  virtualisation = {
    emptyDiskImages = [
      {
        size = 8192;
        driveConfig.deviceExtraOpts.serial = "nvme";
      }
    ];
    fileSystems."/mnt/nvme" = {
      device = "/dev/disk/by-id/virtio-nvme";
      fsType = "ext4";
      autoFormat = true;
    };
  };
}
