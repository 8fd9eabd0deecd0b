{ lib, self }:
let
  machine =
    system: configuration:
    lib.nixosSystem {
      modules = [
        self.nixosModules.default
        configuration
        { nixpkgs.hostPlatform = system; }
      ];
    };
in
{
  # The host of the template, whole: what is copied works.
  example = machine "x86_64-linux" ../templates/host/configuration.nix;

  # One for each system, since a VM is built for the system that it runs on.
  vm-x86_64-linux = machine "x86_64-linux" ./vm.nix;
  vm-aarch64-linux = machine "aarch64-linux" ./vm.nix;
}
