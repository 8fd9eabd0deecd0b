# Evaluates one configuration with the module system of nixpkgs' library and the stubs, and returns
# what the module makes of it, as data.
{
  # The folder lib of github:nix-community/nixpkgs.lib, or of nixpkgs.
  libPath,
  # A module, which sets services.utxoracle.
  case,
  isX86 ? true,
}:
let
  lib = import libPath;

  fake = name: {
    type = "derivation";
    inherit name;
    outPath = "/nix/store/00000000000000000000000000000000-${name}";
    out = fake name;
    outputs = [ "out" ];
    meta.mainProgram = name;
  };

  pkgs =
    lib.genAttrs [
      "bash"
      "bitcoind"
      "coreutils"
      "curl"
      "e2fsprogs"
      "findutils"
      "gnugrep"
      "gnused"
      "gzip"
      "iproute2"
      "mariadb_1011"
      "openssl"
      "podman"
      "python3"
      "systemd"
      "util-linux"
    ] fake
    // {
      stdenv.hostPlatform.isx86_64 = isX86;
      dockerTools = {
        pullImage = { imageName, ... }: fake "image";
        buildLayeredImage =
          { name, tag, ... }@args: builtins.deepSeq (seen args) (fake "${baseNameOf name}.tar");
        binSh = fake "bin-sh";
        usrBinEnv = fake "usr-bin-env";
      };
      runCommand =
        name: attrs: script:
        builtins.deepSeq [
          (seen attrs)
          script
        ] (fake name);
      writeShellScript = name: text: builtins.seq text (fake name);
      writeShellScriptBin = name: text: builtins.seq text (fake name);
      writeTextFile = { name, text, ... }@args: fake name // args;
      writeShellApplication = { name, text, ... }@args: fake name // args;
    };

  # Both are functions of nixpkgs' nixos/lib/utils.nix.
  utils = {
    escapeSystemdPath =
      path:
      lib.replaceStrings [ "/" ] [ "-" ] (
        lib.concatMapStrings (
          letter:
          if builtins.match "[A-Za-z0-9:_./]" letter != null then
            letter
          else
            "\\x${lib.toLower (lib.fixedWidthString 2 "0" (lib.toHexString (lib.strings.charToInt letter)))}"
        ) (lib.stringToCharacters (lib.removePrefix "/" path))
      );
    escapeSystemdExecArg =
      arg: lib.replaceStrings [ "%" "$" ] [ "%%" "$$" ] (builtins.toJSON (toString arg));
  };

  evaluated = lib.evalModules {
    modules = [
      ../../nixos-module
      ./stubs/bitcoind.nix
      ./stubs/containers.nix
      ./stubs/machine.nix
      ./stubs/systemd.nix
      {
        _module.args = { inherit pkgs utils; };
        services.utxoracle.package = fake "utxoracle" // {
          python = fake "python";
        };
      }
      case
    ];
  };
  inherit (evaluated) config;

  failed = map (one: one.message) (lib.filter (one: !one.assertion) config.assertions);

  rendered = {
    inherit (config.rendered) units scripts links;
    # Of machines of the flake.
    vm = config.rendered.vm or null;
    inherit (config) warnings;
    etc = lib.mapAttrs (_: one: one.source.text) config.environment.etc;
    checks = lib.mapAttrs (_: one: one.source.checkPhase) config.environment.etc;
    commands = lib.listToAttrs (
      map (one: lib.nameValuePair one.name one.text) (
        lib.filter (one: one ? text) config.environment.systemPackages
      )
    );
    # Nodes of nixpkgs' module.
    bitcoin = lib.mapAttrs (_: one: one.extraConfig) (
      lib.filterAttrs (_: one: one ? extraConfig) config.services.bitcoind
    );
    fileSystems = lib.mapAttrs (_: one: {
      inherit (one) device fsType options;
    }) config.fileSystems;
    tmpfiles = config.systemd.tmpfiles.settings;
    users = lib.mapAttrs (_: one: { inherit (one) uid group; }) config.users.users;
    groups = lib.mapAttrs (_: one: one.gid) config.users.groups;
    firewall = {
      everyone = config.networking.firewall.allowedTCPPorts;
      inherit (config.networking.firewall) interfaces extraCommands extraStopCommands;
      tables = config.networking.nftables.tables;
    };
    images = lib.mapAttrs (_: one: one.image) config.virtualisation.oci-containers.containers;
    published = lib.concatMapAttrs (
      name: one: lib.optionalAttrs (one.ports != [ ]) { ${name} = one.ports; }
    ) config.virtualisation.oci-containers.containers;
  };

  # Evaluation is lazy: what nothing above uses would never be looked at. (A package has no end.)
  seen =
    one:
    if lib.isDerivation one then
      one.outPath
    else if lib.isAttrs one then
      lib.mapAttrs (_: seen) one
    else if lib.isList one then
      map seen one
    else
      one;
  options =
    !config.services.utxoracle.enable || builtins.deepSeq (seen config.services.utxoracle) true;
in
{
  inherit failed;
  rendered = if failed == [ ] && options then rendered else null;
  # Without what the module system adds to each submodule.
  documented = lib.filter (
    one:
    lib.hasPrefix "services.utxoracle" one.name && one.visible && !(lib.hasInfix "._module." one.name)
  ) (lib.optionAttrSetToDocList evaluated.options);
}
