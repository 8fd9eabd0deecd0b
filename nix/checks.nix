# What `nix flake check` builds. The VM tests among it want KVM.
{
  lib,
  pkgs,
  self,
  system,
  ...
}:
let
  nixFiles = lib.fileset.toSource {
    root = ../.;
    fileset = lib.fileset.fileFilter (file: file.hasExt "nix") ../.;
  };
  # That the name of its derivation is known means that a whole system evaluates, assertions
  # included. Without its context nothing of the system is built.
  evaluates =
    name: machine:
    pkgs.writeText "${name}-evaluates" (
      builtins.unsafeDiscardStringContext machine.config.system.build.toplevel.drvPath
    );
  # Those that boot in a minute or two.
  scenarios = lib.importJSON ../tests/system/scenarios.json;
  lightVmTests = lib.filterAttrs (
    name: _: scenarios.${name}.light or false
  ) self.legacyPackages.${system}.vmTests;
in
{
  package = self.packages.${system}.utxoracle;
  options-doc = self.packages.${system}.options-doc;
  vm = evaluates "vm" self.nixosConfigurations."vm-${system}";

  format = pkgs.runCommand "format" { nativeBuildInputs = [ pkgs.nixfmt ]; } ''
    find ${nixFiles} -name '*.nix' -exec nixfmt --check {} +
    touch $out
  '';
}
// lib.optionalAttrs (system == "x86_64-linux") (
  {
    example = evaluates "example" self.nixosConfigurations.example;
  }
  // lightVmTests
)
