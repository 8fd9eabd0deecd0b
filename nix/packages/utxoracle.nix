{
  lib,
  openssl,
  python3,
  util-linux,
}:
let
  inherit (lib) fileset;

  # What the wheel or a test of it is made from: a change of the module, of a VM test or of a page
  # that no test here reads builds nothing anew.
  source = fileset.unions [
    ../../.gitignore
    ../../LICENSE
    ../../README.md
    ../../docs/api.md
    ../../docs/grafana-dashboard.json
    ../../docs/operations.md
    ../../docs/sources.md
    ../../docs/usage.md
    ../../hatch_build.py
    ../../pyproject.toml
    ../../tests
    ../../utxoracle
  ];
  leftOut = fileset.unions [
    ../../tests/nix
    ../../tests/vm
    (fileset.maybeMissing ../../tests/system)
    # Written by the build, where somebody builds in the tree.
    (fileset.maybeMissing ../../utxoracle/web/vendor)
  ];

  inherit (lib.importTOML ../../pyproject.toml) project;
  # It is written once, in the program itself.
  version = lib.head (
    builtins.match ''.*__version__ = "([^"]+)".*'' (lib.readFile ../../utxoracle/__init__.py)
  );

  application = python3.pkgs.buildPythonApplication {
    pname = "utxoracle";
    inherit version;
    pyproject = true;

    src = fileset.toSource {
      root = ../..;
      fileset = fileset.difference source leftOut;
    };

    build-system = [
      python3.pkgs.hatchling
      # Holds the script that draws the charts of the page.
      python3.pkgs.plotly
    ];
    # pyproject.toml names one version of plotly, so that every build is the same. Here the lock file
    # sees to that; the page works with nixpkgs' version too.
    pypaBuildFlags = [ "--skip-dependency-check" ];

    dependencies = [
      python3.pkgs.click
      python3.pkgs.duckdb
      python3.pkgs.falcon
      python3.pkgs.gunicorn
      python3.pkgs.numpy
      python3.pkgs.prometheus-client
      python3.pkgs.requests
    ];

    nativeCheckInputs = [
      openssl
      python3.pkgs.hypothesis
      python3.pkgs.jsonschema
      python3.pkgs.pytest-xdist
      python3.pkgs.pytestCheckHook
      util-linux
    ];
    pythonImportsCheck = [
      "utxoracle"
      "utxoracle.api.app"
      "utxoracle.cli.program"
    ];
    pytestFlags = [
      # The tests of one file may share a node, which each leaves with other blocks than it found.
      "--dist=loadfile"
      # What another version warns of is for who changes the program, not for who builds it.
      "-Wdefault"
    ];
    enabledTestPaths = [ "tests/unit" ];
    disabledTestPaths = [
      # Follows the links of every page, to files that are no part of this source.
      "tests/unit/test_docs.py"
    ];

    # An interpreter that can import it, for `python -m utxoracle.api`.
    passthru.python = python3.withPackages (_: [ (python3.pkgs.toPythonModule application) ]);

    meta = {
      inherit (project) description;
      license = lib.licenses.mit;
      mainProgram = "utxoracle";
      platforms = lib.platforms.linux;
    };
  };
in
application
