# Every option of the module as one page of Markdown: `nix build .#options-doc`.
{
  lib,
  nixosOptionsDoc,
  pkgs,
}:
let
  root = toString ../..;
  evaluated = lib.evalModules {
    modules = [
      ../../nixos-module
      # The options of NixOS that the module sets aren't there, and needn't be.
      {
        _module.check = false;
        _module.args = { inherit pkgs; };
      }
    ];
  };
in
(nixosOptionsDoc {
  options = { inherit (evaluated.options) services; };
  # Where a file lies in the store would make the page differ from build to build.
  transformOptions =
    option:
    option
    // {
      # A mere path would be linked to nixpkgs.
      declarations = map (file: {
        name = lib.removePrefix "/" (lib.removePrefix root (toString file));
      }) option.declarations;
    };
}).optionsCommonMark
