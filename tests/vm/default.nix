# The scenarios of tests/system in virtual machines, which want KVM: `nix build .#vmTests.app`, or
# `.#vmTests.app.driverInteractive` to look around in one.
{
  lib,
  pkgs,
  self,
  ...
}:
let
  scenarios = ../system/scenarios;
  wanted = lib.importJSON ../system/scenarios.json;

  hostsOf =
    name:
    let
      appliance = {
        imports = [
          self.nixosModules.default
          ./machine.nix
        ];
        # What it can switch to.
        specialisation = lib.mapAttrs (_: case: {
          configuration = import (../nix/cases + "/${case}.nix");
        }) wanted.${name}.configurations or { };
        # Machines of tests have nothing to switch with unless it is wanted.
        system.switch.enable = wanted.${name} ? configurations;
      };
    in
    {
      machine = appliance;
      fresh = appliance;
      attacker = ./attacker.nix;
    };

  # What tests/system/driver.py makes, too.
  script =
    name:
    lib.concatStringsSep "\n\n" [
      "is_long = False"
      (lib.readFile ../system/prelude.py)
      (lib.readFile (scenarios + "/${name}.py"))
    ];

  test =
    name:
    pkgs.testers.runNixOSTest {
      name = "utxoracle-${name}";
      nodes = lib.genAttrs wanted.${name}.hosts or [ "machine" ] (host: (hostsOf name).${host});
      testScript = script name;
      # Images of containers are loaded, and the scenario takes a minute or two.
      globalTimeout = 30 * 60;
    };

  files = lib.filter (lib.hasSuffix ".py") (lib.attrNames (builtins.readDir scenarios));
in
lib.genAttrs (map (lib.removeSuffix ".py") files) test
