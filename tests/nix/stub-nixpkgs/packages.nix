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

  # Python packages are named, not made: a name that is wrong here is found where they are.
  python3 = fake "python3" {
    pkgs = lib.genAttrs [
      "click"
      "duckdb"
      "falcon"
      "gunicorn"
      "hatchling"
      "hypothesis"
      "jsonschema"
      "mypy"
      "numpy"
      "pandas"
      "plotly"
      "polars"
      "prometheus-client"
      "pyarrow"
      "pytest-xdist"
      "pytestCheckHook"
      "requests"
      "types-requests"
    ] (name: fake name { }) // {
      buildPythonApplication =
        attrs:
        builtins.deepSeq attrs (
          fake "${attrs.pname}-${attrs.version}" {
            inherit (attrs) meta pname version;
            # For the tests: what it was made from.
            inherit attrs;
          }
        );
    };
  };

  pkgs =
    lib.genAttrs [ "nixfmt" "nixfmt-tree" "openssl" "ruff" ] (name: fake name { })
    // {
      inherit lib pkgs python3;
      callPackage =
        file: arguments:
        let
          function = import file;
        in
        function (builtins.intersectAttrs (builtins.functionArgs function) pkgs // arguments);
      mkShell = attrs: builtins.deepSeq attrs.packages (fake "shell" { });
      nixosOptionsDoc = _: { optionsCommonMark = fake "options.md" { }; };
      runCommand =
        name: _: script:
        builtins.seq script (fake name { });
      testers.runNixOSTest = test: fake "vm-test" { inherit test; };
      writeShellScript = name: text: fake name { inherit text; };
      writeText = name: text: builtins.seq text (fake name { });
    };
in
pkgs
