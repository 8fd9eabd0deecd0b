# The part of NixOS that declares units, and turns them into text as nixpkgs does it
# (nixos/lib/systemd-lib.nix and systemd-unit-options.nix): keys in byte order, a list as one line an
# item, what options stand for as one line with spaces. Types and defaults are listed, with where
# they were read, in ../nixos-options.md. Left out: the variables LOCALE_ARCHIVE and TZDIR, which a
# NixOS gives to each service.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  inherit (lib) mkOption types;

  # Any value; where one definition is a list, all are.
  unitOption = lib.mkOptionType {
    name = "systemd option";
    merge =
      loc: defs:
      if lib.any (def: lib.isList def.value) defs then
        lib.concatMap (def: lib.toList def.value) defs
      else
        lib.mergeEqualOption loc defs;
  };
  section = mkOption {
    type = types.attrsOf unitOption;
    default = { };
  };
  # Of each definition by itself, before they are merged.
  allowed = {
    Type = [
      "exec"
      "simple"
      "forking"
      "oneshot"
      "dbus"
      "notify"
      "notify-reload"
      "idle"
    ];
    Restart = [
      "no"
      "on-success"
      "on-failure"
      "on-abnormal"
      "on-abort"
      "always"
    ];
  };
  isAllowed =
    name: one:
    if lib.isAttrs one && one ? content then
      isAllowed name one.content
    else
      lib.elem one allowed.${name};
  serviceSection = mkOption {
    type = types.addCheck (types.attrsOf unitOption) (
      keys: lib.all (name: !(keys ? ${name}) || isAllowed name keys.${name}) (lib.attrNames allowed)
    );
    default = { };
  };
  unitName = types.strMatching "[a-zA-Z0-9@%:_.\\-]+[.](service|socket|device|mount|automount|swap|target|path|timer|scope|slice)";
  units = mkOption {
    type = types.listOf unitName;
    default = [ ];
  };
  words = {
    requires = "Requires";
    wants = "Wants";
    after = "After";
    before = "Before";
    bindsTo = "BindsTo";
    partOf = "PartOf";
    conflicts = "Conflicts";
    onFailure = "OnFailure";
  };
  limits = {
    startLimitIntervalSec = "StartLimitIntervalSec";
    startLimitBurst = "StartLimitBurst";
  };

  common =
    { options, config, ... }:
    {
      options = {
        enable = mkOption {
          type = types.bool;
          default = true;
        };
        description = mkOption {
          type = types.singleLineStr;
          default = "";
        };
        wantedBy = units;
        requiredBy = units;
        upheldBy = units;
        unitConfig = section;
        restartTriggers = mkOption {
          type = types.listOf types.unspecified;
          default = [ ];
        };
      }
      // lib.mapAttrs (_: _: units) words
      // lib.mapAttrs (_: _: mkOption { type = types.int; }) limits;
      config.unitConfig = lib.mkMerge (
        lib.mapAttrsToList (
          name: key: lib.mkIf (config.${name} != [ ]) { ${key} = toString config.${name}; }
        ) words
        ++ lib.mapAttrsToList (
          name: key: lib.mkIf options.${name}.isDefined { ${key} = config.${name}; }
        ) limits
        ++ [
          (lib.mkIf (config.description != "") { Description = config.description; })
          # nixpkgs writes the path of a file that holds these.
          (lib.mkIf (config.restartTriggers != [ ]) {
            X-Restart-Triggers = lib.concatMapStringsSep " " toString config.restartTriggers;
          })
        ]
      );
    };

  script = mkOption {
    type = types.lines;
    default = "";
  };
  flag =
    default:
    mkOption {
      type = types.bool;
      inherit default;
    };
  service =
    { name, config, ... }:
    let
      # nixpkgs puts a space behind those of ExecStart, for arguments.
      job =
        suffix:
        "/nix/store/00000000000000000000000000000000-unit-script-${fileName suffix}/bin/${fileName suffix}";
      fileName = suffix: "${lib.replaceStrings [ "@" ] [ "_" ] name}-${suffix}";
    in
    {
      options = {
        environment = mkOption {
          type = types.attrsOf (
            types.nullOr (
              types.oneOf [
                types.str
                types.path
                types.package
              ]
            )
          );
          default = { };
        };
        path = mkOption {
          type = types.listOf (
            types.oneOf [
              types.package
              types.str
            ]
          );
          default = [ ];
        };
        serviceConfig = serviceSection;
        scripts = mkOption {
          type = types.attrsOf types.str;
          default = { };
        };
        inherit script;
        preStart = script;
        preStop = script;
        postStop = script;
        restartIfChanged = flag true;
        stopIfChanged = flag true;
      };
      config = {
        path = lib.mkAfter (
          with pkgs;
          [
            coreutils
            findutils
            gnugrep
            gnused
            systemd
          ]
        );
        environment.PATH =
          lib.concatMapStringsSep ":" (one: "${one}/bin") config.path
          + ":"
          + lib.concatMapStringsSep ":" (one: "${one}/sbin") config.path;
        serviceConfig = {
          ExecStart = lib.mkIf (config.script != "") (job "start");
          ExecStartPre = lib.mkIf (config.preStart != "") [ (job "pre-start") ];
          ExecStop = lib.mkIf (config.preStop != "") (job "pre-stop");
          ExecStopPost = lib.mkIf (config.postStop != "") (job "post-stop");
        };
        scripts =
          lib.mapAttrs'
            (suffix: text: {
              name = fileName suffix;
              value = "#!/bin/bash\nset -e\n\n${lib.removeSuffix "\n" text}\n";
            })
            (
              lib.filterAttrs (_: text: text != "") {
                start = config.script;
                pre-start = config.preStart;
                pre-stop = config.preStop;
                post-stop = config.postStop;
              }
            );
      };
    };

  ofKind =
    modules:
    mkOption {
      type = types.attrsOf (types.submodule ([ common ] ++ modules));
      default = { };
    };

  value = one: if lib.isBool one then lib.boolToString one else toString one;
  lines =
    keys:
    lib.concatStrings (
      lib.mapAttrsToList (
        name: one: lib.concatMapStrings (item: "${name}=${value item}\n") (lib.toList one)
      ) keys
    );
  install =
    unit: lib.optionalString (unit.wantedBy != [ ]) "\n[Install]\nWantedBy=${toString unit.wantedBy}\n";

  text = {
    service =
      unit:
      "[Unit]\n${lines unit.unitConfig}\n[Service]\n"
      + lib.concatStrings (
        lib.mapAttrsToList (name: one: "Environment=${builtins.toJSON "${name}=${one}"}\n") (
          lib.filterAttrs (_: one: one != null) unit.environment
        )
      )
      + lib.optionalString (!unit.restartIfChanged) "X-RestartIfChanged=false\n"
      + lib.optionalString (!unit.stopIfChanged) "X-StopIfChanged=false\n"
      + lines unit.serviceConfig
      + install unit;
    timer = unit: "[Unit]\n${lines unit.unitConfig}\n[Timer]\n${lines unit.timerConfig}${install unit}";
    socket =
      unit:
      "[Unit]\n${lines unit.unitConfig}\n[Socket]\n${lines unit.socketConfig}"
      + lib.concatMapStrings (stream: "ListenStream=${stream}\n") unit.listenStreams
      + install unit;
    target = unit: "[Unit]\n${lines unit.unitConfig}";
  };

  all =
    lib.concatMapAttrs
      (
        kind: unitsOfKind:
        lib.mapAttrs' (name: unit: {
          name = "${name}.${kind}";
          value = unit // {
            text = text.${kind} unit;
          };
        }) unitsOfKind
      )
      {
        service = config.systemd.services;
        timer = config.systemd.timers;
        socket = config.systemd.sockets;
        target = config.systemd.targets;
      };
in
{
  options.systemd = {
    services = ofKind [ service ];
    timers = ofKind [ { options.timerConfig = section; } ];
    sockets = ofKind [
      {
        options = {
          socketConfig = section;
          listenStreams = mkOption {
            type = types.listOf types.str;
            default = [ ];
          };
        };
      }
    ];
    targets = ofKind [ ];
    package = mkOption {
      type = types.package;
      default = pkgs.systemd;
    };
    tmpfiles.settings = mkOption {
      type = types.attrsOf (
        types.attrsOf (
          types.attrsOf (
            types.submodule {
              options =
                lib.genAttrs [ "mode" "user" "group" "age" ] (
                  _:
                  mkOption {
                    type = types.str;
                    default = "-";
                  }
                )
                // {
                  argument = mkOption {
                    type = types.str;
                    default = "";
                  };
                };
            }
          )
        )
      );
      default = { };
    };
  };

  # Of the stubs themselves.
  options.rendered = mkOption { type = types.unspecified; };
  config.rendered = {
    units = lib.mapAttrs (_: unit: unit.text) all;
    scripts = lib.concatMapAttrs (_: one: one.scripts) config.systemd.services;
    links = lib.concatLists (
      lib.mapAttrsToList (
        name: unit:
        map (by: "${by}.wants/${name}") unit.wantedBy
        ++ map (by: "${by}.requires/${name}") unit.requiredBy
        ++ map (by: "${by}.upholds/${name}") unit.upheldBy
      ) all
    );
  };
}
