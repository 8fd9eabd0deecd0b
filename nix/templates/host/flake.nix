{
  description = "A machine that reads the BTC/USD price from its own Bitcoin node";

  inputs = {
    nixpkgs.url = "github:NixOS/nixpkgs/nixos-26.05";
    # CHANGE: where your copy of the repository is.
    utxoracle.url = "git+file:///etc/utxoracle-src";
    # Not `follows`: so the program comes with the versions that it was tested with.
  };

  outputs =
    { nixpkgs, utxoracle, ... }:
    {
      nixosConfigurations.appliance = nixpkgs.lib.nixosSystem {
        modules = [
          utxoracle.nixosModules.default
          ./configuration.nix
        ];
      };
    };
}
