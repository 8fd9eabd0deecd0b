# Images in the places of mempool's, where there is neither a network nor a chain: MariaDB is real,
# the other programs are those beside this file, which get what they tell from a simulated node.
# (tests/system makes the same images without Nix, by `build`.)
{ lib, pkgs }:
let
  # MariaDB's install script calls it.
  hostname = pkgs.writeShellScriptBin "hostname" "exec cat /proc/sys/kernel/hostname";

  make =
    name:
    { packages, config }:
    {
      image = "localhost/mempool-${name}:test";
      imageFile = pkgs.dockerTools.buildLayeredImage {
        name = "localhost/mempool-${name}";
        tag = "test";
        # It is loaded at each start of its container: layers that are there needn't be read again.
        compressor = "none";
        contents = [
          pkgs.dockerTools.binSh
          pkgs.dockerTools.usrBinEnv
        ];
        config = config // {
          Env = [
            "PATH=${lib.makeBinPath (packages ++ [ pkgs.coreutils ])}:${lib.path.append ./. name}:/bin"
          ];
        };
        # What the programs need at run time beside files: places that are theirs to write.
        fakeRootCommands = ''
          mkdir -p backend/cache data etc run/mysqld var/lib/mysql
          mkdir -p -m 1777 tmp
          chmod 1777 run/mysqld var/lib/mysql
          cp ${./backend/start.sh} backend/start.sh
          chown -R 1000:1000 backend
          echo root:x:0:0::/:/bin/sh >etc/passwd
          echo root:x:0: >etc/group
        '';
      };
    };
in
lib.mapAttrs make {
  db = {
    packages = [
      # The release of the image that the module names.
      pkgs.mariadb_1011
      pkgs.bash
      pkgs.findutils
      pkgs.gnugrep
      pkgs.gnused
      hostname
    ];
    config.Cmd = [ "entry" ];
  };
  backend = {
    packages = [
      pkgs.bash
      pkgs.curl
      pkgs.gnused
      pkgs.python3
    ];
    config = {
      Cmd = [ "/backend/start.sh" ];
      WorkingDir = "/backend";
    };
  };
  frontend = {
    packages = [
      pkgs.curl
      pkgs.python3
    ];
    config.Cmd = [ "serve" ];
  };
  electrs = {
    packages = [ pkgs.python3 ];
    config.Entrypoint = [ "electrs" ];
  };
}
