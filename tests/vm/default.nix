# The appliance in virtual machines: `nix build .#vmTests.app`, and `.#vmTests.app.driverInteractive`
# to look around in one. They want KVM.
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
      defaults = {
        imports = [ self.nixosModules.default ];
        # An option without a description ends the test.
        documentation.nixos.options.warningsAreErrors = true;
      };
      globalTimeout = 20 * 60;
    };
in
lib.mapAttrs (_: run) {
  app = ./app.nix;
}
