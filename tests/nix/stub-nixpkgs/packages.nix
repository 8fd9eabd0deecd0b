# What the flake uses of nixpkgs' packages: derivations by name, which keep what they were given.
{ lib, system }:
let
  fake =
    name: more:
    derivation {
      inherit name system;
      builder = "/bin/sh";
    }
    // {
      meta = { };
    }
    // more;
  named = names: lib.genAttrs names (name: fake name { });

  # A name that is in no list is an error, as is one that nixpkgs doesn't have.
  programs = named [
    "nixfmt"
    "nixfmt-tree"
    "openssl"
    "ruff"
    "util-linux"
  ];
  pythonPackages = named [
    "click"
    "duckdb"
    "falcon"
    "gunicorn"
    "hatchling"
    "hypothesis"
    "jsonschema"
    "numpy"
    "pandas"
    "plotly"
    "polars"
    "prometheus-client"
    "pyarrow"
    "pytest-xdist"
    "pytestCheckHook"
    "requests"
  ];

  buildPythonApplication =
    attrs:
    builtins.deepSeq (removeAttrs attrs [ "passthru" ]) (
      fake "${attrs.pname}-${attrs.version}" (
        attrs.passthru
        // {
          inherit (attrs) meta;
          # For the tests: what it was made from.
          inherit attrs;
        }
      )
    );
  python3 = fake "python3" {
    pkgs = pythonPackages // {
      inherit buildPythonApplication;
      toPythonModule = package: package;
    };
    withPackages = choose: fake "python3-env" { packages = choose pythonPackages; };
  };

  callPackage =
    file: arguments:
    let
      function = import file;
      wanted = builtins.functionArgs function;
    in
    function (builtins.intersectAttrs wanted pkgs // arguments);
  runNixOSTest =
    test:
    assert builtins.all lib.readModule (builtins.attrValues test.nodes);
    fake "vm-test-run-${test.name}" {
      inherit test;
      driverInteractive = fake "nixos-test-driver-${test.name}" { };
    };

  pkgs = programs // {
    inherit
      callPackage
      lib
      pkgs
      python3
      ;
    mkShell = attrs: builtins.deepSeq attrs.packages (fake "shell" { });
    nixosOptionsDoc = _: { optionsCommonMark = fake "options.md" { }; };
    runCommand =
      name: _: script:
      builtins.seq script (fake name { });
    testers = { inherit runNixOSTest; };
    writeShellScript = name: _: fake name { };
    writeText = name: text: builtins.seq text (fake name { });
  };
in
pkgs
