{
  description = "The BTC/USD price written in confirmed Bitcoin blocks, read from your own node";

  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-26.05";

  outputs =
    { self, nixpkgs }:
    let
      inherit (nixpkgs) lib;
      systems = [
        "x86_64-linux"
        "aarch64-linux"
      ];
      # What is in nix/ is named after the output that it makes.
      eachSystem =
        output:
        lib.genAttrs systems (
          system:
          output {
            inherit lib self system;
            pkgs = nixpkgs.legacyPackages.${system};
          }
        );
    in
    {
      packages = eachSystem (import ./nix/packages);
      apps = eachSystem (import ./nix/apps.nix);
      checks = eachSystem (import ./nix/checks.nix);
      devShells = eachSystem (import ./nix/devShells.nix);
      formatter = eachSystem ({ pkgs, ... }: pkgs.nixfmt-tree);
      # Only the light ones are among the checks.
      legacyPackages = eachSystem (args: {
        vmTests = import ./tests/vm args;
      });

      overlays.default = import ./nix/overlays/default.nix;
      nixosModules = import ./nix/nixosModules { inherit self; };
      nixosConfigurations = import ./nix/nixosConfigurations { inherit lib self; };
      templates.default = {
        path = ./nix/templates/host;
        description = "A host with an NVMe disk that runs the appliance";
      };
    };
}
