# The appliance, services.utxoracle: one file per concern, each with its options beside its config.
# A file uses only what stands above it in the list.
{ config, lib, ... }:
let
  options.services.utxoracle = {
    enable = lib.mkEnableOption "utxoracle: the BTC/USD price read from your own Bitcoin node";

    package = lib.mkOption {
      type = lib.types.package;
      example = lib.literalExpression "inputs.utxoracle.packages.\${pkgs.system}.default";
      description = ''
        The program. `nixosModules.default` of the flake sets it; whoever imports the folder
        `nixos-module` by itself has to. Its attribute `python` is an interpreter that can import
        it, which runs the API.
      '';
    };

    network = lib.mkOption {
      type = lib.types.enum (lib.attrNames networks);
      default = "mainnet";
      description = ''
        The chain, by the name that mempool has for it. A database keeps the network that it was
        made for and refuses blocks of another: give each its own `storage.base`.
      '';
    };

    uid = lib.mkOption {
      type = lib.types.ints.between 1 65533;
      default = 390;
      description = ''
        Id of the user and the group `utxoracle`, who own the prices. It is fixed, so that the files
        keep their owner when the disk moves to another machine. A group of another name that has
        this id already is the only reason to change it, and `chown -R` of what is there goes with it.
      '';
    };
  };

  cfg = config.services.utxoracle;
  networks = import ./networks.nix;
in
{
  inherit options;

  imports = [
    ./storage.nix
    ./unplugged.nix
    ./settings.nix
    ./operator.nix
    ./alerts.nix
    ./bitcoin.nix
    ./secrets.nix
    ./mempool
    ./proxies.nix
    ./analysis.nix
    ./backup.nix
    ./api.nix
    ./logs.nix
    ./clashes.nix
  ];

  config = lib.mkIf cfg.enable {
    # The handle of all that is long-running. Nothing that a timer starts is wanted by it: a switch
    # starts active targets again, and would fire the jobs.
    systemd.targets.utxoracle = {
      description = "utxoracle and its mempool stack";
      wantedBy = [ "multi-user.target" ];
      # Else a boot, or a switch, would wait until all images are there and all containers well.
      unitConfig.DefaultDependencies = false;
      conflicts = [ "shutdown.target" ];
      before = [ "shutdown.target" ];
    };

    users.users.utxoracle = {
      inherit (cfg) uid;
      group = "utxoracle";
      isSystemUser = true;
      description = "Owner of the prices of utxoracle";
    };
    users.groups.utxoracle.gid = cfg.uid;
  };
}
