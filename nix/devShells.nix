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
      pkgs.nixfmt
      pkgs.python3.pkgs.mypy
      pkgs.python3.pkgs.pandas
      pkgs.python3.pkgs.polars
      pkgs.python3.pkgs.pyarrow
      pkgs.python3.pkgs.types-requests
      pkgs.ruff
    ];
  };
}
