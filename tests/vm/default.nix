# The appliance in virtual machines, which want KVM: `nix build .#vmTests.app`, or
# `.#vmTests.app.driverInteractive` to look around in one.
{
  lib,
  pkgs,
  self,
  ...
}:
let
  run =
    test:
    pkgs.testers.runNixOSTest {
      imports = [ test ];
      defaults.imports = [ self.nixosModules.default ];
      globalTimeout = 20 * 60;
    };
in
lib.mapAttrs (_: run) {
  app = ./app.nix;
}
