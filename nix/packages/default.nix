{ pkgs, ... }:
rec {
  default = utxoracle;
  utxoracle = pkgs.callPackage ./utxoracle.nix { };
  options-doc = pkgs.callPackage ./options-doc.nix { };
}
