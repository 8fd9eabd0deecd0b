# Folders, and which disk one is on as the configuration declares it.
{ config, lib }:
rec {
  # What units, podman and URLs all take as it is: no spaces, no colons, no slash at the end.
  path = lib.types.strMatching "(/[A-Za-z0-9._@+-]+)+" // {
    description = "absolute path of letters, digits and . _ @ + -, without a slash at the end";
  };

  # What ProtectHome= hides from units, and what is none of the jobs' business.
  hidden = [
    "/home"
    "/root"
    "/run/user"
    config.services.utxoracle.storage.paths.mempool
  ];

  isWithin = folder: path: path == folder || lib.hasPrefix "${folder}/" path;

  # Assertion that units see `path`, which is of the option `name`; null is none.
  isSeen = name: path: {
    assertion = path == null || !lib.any (folder: isWithin folder (toString path)) hidden;
    message =
      "services.utxoracle.${name} (${toString path}) is below one of ${lib.concatStringsSep ", " hidden}, which "
      + "the units that use it don't see: put it elsewhere, for example below /mnt, /srv or /etc.";
  };

  # The longest declared mount point above `path`; "/" where there is none but that of the root disk.
  mountPointOf =
    path:
    lib.foldl' (found: one: if lib.stringLength one > lib.stringLength found then one else found) "/" (
      lib.filter (one: one != "/" && isWithin one path) (
        lib.mapAttrsToList (_: fileSystem: fileSystem.mountPoint) config.fileSystems
      )
    );
}
