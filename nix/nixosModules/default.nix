{ self }:
{
  # The module with its package: all that a host needs to import.
  default =
    { lib, pkgs, ... }:
    let
      inherit (pkgs.stdenv.hostPlatform) system;
    in
    {
      # A function has no place of its own. With one, errors name it, and a host that imports it
      # twice has it once.
      _file = "${self}/nix/nixosModules/default.nix";
      key = "${self}/nix/nixosModules/default.nix#default";

      imports = [ self.nixosModules.utxoracle ];

      services.utxoracle.package = lib.mkDefault self.packages.${system}.utxoracle;
    };

  # The bare module, for a host that brings the package itself, for example by the overlay.
  utxoracle = {
    imports = [ ../../nixos-module ];
  };
}
