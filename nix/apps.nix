# What `nix run .#name -- arguments` runs.
{
  lib,
  pkgs,
  self,
  system,
  ...
}:
let
  utxoracle = lib.getExe self.packages.${system}.utxoracle;
  # Built for the system that it runs on.
  vm = self.nixosConfigurations."vm-${system}".config.system.build.vm;

  app = program: description: {
    type = "app";
    program = "${program}";
    meta = { inherit description; };
  };
  # A command of the program, which gets the arguments.
  command =
    name:
    app (
      pkgs.writeShellScript "utxoracle-${name}" ''
        exec ${utxoracle} ${name} "$@"
      ''
    );
in
{
  default = app utxoracle "The program with all its commands";
  analyze = command "analyze" "Store and price the blocks that came since the last run";
  backup = command "backup" "Copy the published database, verify the copy, keep it";
  demo = command "demo" "Everything at once on a simulated chain, page included";
  doctor = command "doctor" "Check everything, and say what to do";
  serve = command "serve" "The page and the HTTP API in the foreground";
  # Its script leaves the disks behind.
  vm = app (pkgs.writeShellScript "utxoracle-vm" ''
    TMPDIR=$(mktemp -d)
    trap 'rm -rf "$TMPDIR"' EXIT
    export TMPDIR USE_TMPDIR=1
    ${lib.getExe vm} "$@"
  '') "The whole appliance in a throw-away VM, on a simulated chain";
}
