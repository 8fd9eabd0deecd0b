# Stands in for nixpkgs where that can't be had: enough of it to see which outputs the flake has and
# that they evaluate. Nothing of it can be built.
#
#   nix flake show --override-input nixpkgs path:tests/nix/stub-nixpkgs
{
  description = "What the flake uses of nixpkgs, without nixpkgs";

  outputs =
    _:
    let
      lib = import ./lib.nix;
      packages = system: import ./packages.nix { inherit lib system; };
    in
    {
      inherit lib;
      legacyPackages = lib.genAttrs lib.platforms.linux packages;
    };
}
