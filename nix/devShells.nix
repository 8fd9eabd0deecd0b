{
  pkgs,
  self,
  system,
  ...
}:
{
  default = pkgs.mkShell {
    # What the program, its build and its tests need.
    inputsFrom = [ self.packages.${system}.utxoracle ];
    packages = [
      # No mypy, since nixpkgs has no types of gunicorn: make check has them.
      pkgs.nixfmt
      pkgs.python3.pkgs.pandas
      pkgs.python3.pkgs.polars
      pkgs.python3.pkgs.pyarrow
      pkgs.ruff
    ];
  };
}
