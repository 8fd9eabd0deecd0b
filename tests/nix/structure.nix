# What can be told of the flake's outputs without nixpkgs, for test_flake.py. Nothing of it needs a
# store:
#
#   nix-instantiate --eval --strict --json --store dummy:// tests/nix/structure.nix
let
  stub = (import ./stub-nixpkgs/flake.nix).outputs { };
  # A script is its text here.
  readable = packages: packages // { writeShellScript = _: text: text; };
  nixpkgs = stub // {
    legacyPackages = builtins.mapAttrs (_: readable) stub.legacyPackages;
  };
  self = (import ../../flake.nix).outputs { inherit nixpkgs self; } // {
    outPath = "/self";
  };
  hosts = (import ../../nix/templates/host/flake.nix).outputs {
    inherit nixpkgs;
    utxoracle = self;
  };

  system = "x86_64-linux";
  names = builtins.mapAttrs (_: builtins.attrNames);
  package = self.packages.${system}.utxoracle;
  module = self.nixosModules.default {
    inherit (stub) lib;
    pkgs.stdenv.hostPlatform.system = system;
  };
in
{
  # By output and system.
  perSystem = {
    packages = names self.packages;
    apps = names self.apps;
    checks = names self.checks;
    devShells = names self.devShells;
    vmTests = builtins.mapAttrs (_: legacy: builtins.attrNames legacy.vmTests) self.legacyPackages;
  };
  formatter = builtins.mapAttrs (_: formatter: formatter.name) self.formatter;
  others = names {
    inherit (self)
      nixosConfigurations
      nixosModules
      overlays
      templates
      ;
  };
  outputs = builtins.attrNames (builtins.removeAttrs self [ "outPath" ]);

  apps = builtins.mapAttrs (_: app: {
    inherit (app) program type;
    inherit (app.meta) description;
  }) self.apps.${system};
  # Evaluates every derivation, though none can be built.
  derivations = builtins.mapAttrs (_: builtins.mapAttrs (_: one: one.drvPath)) {
    packages = self.packages.${system};
    checks = self.checks.${system};
    devShells = self.devShells.${system};
    inherit (self.legacyPackages.${system}) vmTests;
  };
  overlay = (self.overlays.default nixpkgs.legacyPackages.${system} { }).utxoracle.name;
  package = {
    inherit (package) name;
    inherit (package.meta) description mainProgram;
    dependencies = map (one: one.name) package.attrs.dependencies;
    buildSystem = map (one: one.name) package.attrs.build-system;
    checkInputs = map (one: one.name) package.attrs.nativeCheckInputs;
    python = {
      inherit (package.python) name;
      packages = map (one: one.name) package.python.packages;
    };
    inherit (package.attrs) disabledTestPaths enabledTestPaths;
  };
  module = {
    inherit (module) _file key;
    package = module.services.utxoracle.package.content.name;
    priority = module.services.utxoracle.package.priority;
  };
  vmTests = builtins.mapAttrs (_: one: {
    inherit (one) name;
    inherit (one.test) testScript;
    hosts = builtins.attrNames one.test.nodes;
    driver = one.driverInteractive.name;
  }) self.legacyPackages.${system}.vmTests;
  hosts = builtins.attrNames hosts.nixosConfigurations;
}
