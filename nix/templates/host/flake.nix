{
  description = "A machine that reads the BTC/USD price from its own Bitcoin node";

  inputs = {
    nixpkgs.url = "github:NixOS/nixpkgs/nixos-26.05";
    # Where you have it: a folder like this one, or git+https://…
    utxoracle.url = "git+file:///etc/nixos/utxoracle";
    # Not `follows`: so the program comes with the versions that it was tested with.
  };

  outputs =
    { nixpkgs, utxoracle, ... }:
    {
      nixosConfigurations.appliance = nixpkgs.lib.nixosSystem {
        modules = [
          utxoracle.nixosModules.default
          ./configuration.nix
          { nixpkgs.hostPlatform = "x86_64-linux"; }
        ];
      };
    };
}
