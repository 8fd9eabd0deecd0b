{ lib, self }:
let
  machine =
    configuration:
    lib.nixosSystem {
      modules = [
        self.nixosModules.default
        configuration
      ];
    };
  # One for each system, since a VM is built for the system that it runs on.
  vm =
    system:
    machine {
      imports = [ ./vm.nix ];
      nixpkgs.hostPlatform = system;
    };
in
{
  # The host of the template, whole: what is copied works.
  example = machine ../templates/host/configuration.nix;

  vm-x86_64-linux = vm "x86_64-linux";
  vm-aarch64-linux = vm "aarch64-linux";
}
