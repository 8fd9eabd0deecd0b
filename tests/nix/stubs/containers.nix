# virtualisation.oci-containers with podman (nixos/modules/virtualisation/oci-containers.nix): the
# units that it makes of containers. Restart and the time-outs are as they are in some release: the
# module has to overrule them whatever they are.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  inherit (lib) mkOption types;
  cfg = config.virtualisation.oci-containers;

  option = type: default: mkOption { inherit type default; };
  words = option (types.listOf types.str) [ ];

  container =
    { name, ... }:
    {
      options = {
        autoRemoveOnStop = option types.bool true;
        autoStart = option types.bool true;
        capabilities = option (types.lazyAttrsOf (types.nullOr types.bool)) { };
        cmd = words;
        dependsOn = words;
        environment = option (types.attrsOf types.str) { };
        environmentFiles = option (types.listOf types.path) [ ];
        extraOptions = words;
        image = mkOption { type = types.str; };
        imageFile = option (types.nullOr types.package) null;
        log-driver = option types.str "journald";
        networks = words;
        podman = option (types.submodule {
          options = {
            sdnotify = option (types.enum [
              "conmon"
              "healthy"
              "container"
            ]) "conmon";
            user = option types.str "root";
          };
        }) { };
        ports = words;
        pull = option (types.enum [
          "always"
          "missing"
          "never"
          "newer"
        ]) "missing";
        serviceName = option types.str "podman-${name}";
        user = option (types.nullOr types.str) null;
        volumes = words;
      };
    };

  arg = lib.escapeShellArg;
  each = flag: map (one: "${flag} ${arg one}");
  caps =
    flag: wanted: set:
    map (name: "--cap-${flag}=${name}") (lib.attrNames (lib.filterAttrs (_: one: one == wanted) set));

  unit =
    name: one:
    let
      isPulled = one.imageFile == null;
      required = map (other: "${cfg.containers.${other}.serviceName}.service") one.dependsOn;
    in
    {
      wantedBy = lib.optional one.autoStart "multi-user.target";
      wants = lib.optional isPulled "network-online.target";
      after = lib.optional isPulled "network-online.target" ++ required;
      requires = required;
      path = [ config.virtualisation.podman.package ];
      preStart = ''
        podman rm -f ${name} || true
        ${lib.optionalString (!isPulled) "podman load -i ${one.imageFile}\n"}rm -f /run/${name}/ctr-id
      '';
      script = lib.concatStringsSep " \\\n  " (
        [
          "exec podman "
          "run"
          "--name=${name}"
          "--log-driver=${one.log-driver}"
          "--cidfile=/run/${name}/ctr-id"
          "--cgroups=enabled"
          "--sdnotify=${one.podman.sdnotify}"
          "-d"
          "--replace"
        ]
        ++ lib.mapAttrsToList (key: text: "-e ${arg key}=${arg text}") one.environment
        ++ each "--env-file" one.environmentFiles
        ++ each "-p" one.ports
        ++ lib.optional (one.user != null) "-u ${arg one.user}"
        ++ each "-v" one.volumes
        ++ lib.optional one.autoRemoveOnStop "--rm"
        ++ caps "add" true one.capabilities
        ++ caps "drop" false one.capabilities
        ++ map (network: "--network=${arg network}") (lib.unique one.networks)
        ++ [ "--pull ${one.pull}" ]
        ++ map arg one.extraOptions
        ++ [ one.image ]
        ++ map arg one.cmd
      );
      preStop = "podman stop --ignore --cidfile=/run/${name}/ctr-id";
      postStop = "podman rm -f --ignore --cidfile=/run/${name}/ctr-id";
      serviceConfig = {
        Delegate = true;
        Environment = "PODMAN_SYSTEMD_UNIT=%n";
        NotifyAccess = "all";
        Restart = "on-failure";
        RuntimeDirectory = name;
        TimeoutStartSec = 0;
        TimeoutStopSec = 120;
        Type = "notify";
        User = one.podman.user;
      };
    };
in
{
  options.virtualisation = {
    oci-containers = {
      backend = option (types.enum [
        "podman"
        "docker"
      ]) "podman";
      containers = option (types.attrsOf (types.submodule container)) { };
    };
    podman = {
      enable = option types.bool false;
      # nixpkgs adds programs to it, which makes another path of it.
      package = option types.package pkgs.podman;
    };
  };

  config = {
    systemd.services = lib.mapAttrs' (name: one: {
      name = one.serviceName;
      value = unit name one;
    }) cfg.containers;
    virtualisation.podman.enable = lib.mkIf (cfg.containers != { }) true;
  };
}
