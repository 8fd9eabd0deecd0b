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

  appliance.imports = [
    self.nixosModules.default
    ./machine.nix
  ];
  hosts = {
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
      nodes = lib.genAttrs wanted.${name}.hosts or [ "machine" ] (host: hosts.${host});
      testScript = script name;
      # Images of containers are loaded, and the scenario takes a minute or two.
      globalTimeout = 30 * 60;
    };

  files = lib.filter (lib.hasSuffix ".py") (lib.attrNames (builtins.readDir scenarios));
in
lib.genAttrs (map (lib.removeSuffix ".py") files) test
