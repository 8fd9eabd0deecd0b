"""The program as a user without any rights runs it, started by root: `as_nobody.py COMMAND ...`.

The Python that runs the tests may be out of that user's reach, so everything is loaded before.
"""

import os
import sys
from importlib import import_module
from pkgutil import walk_packages

import duckdb

import utxoracle

NOBODY = 65534


def main(*command: str) -> None:
    """Load the program, give up root's rights for good, and run the command."""
    for module in walk_packages(utxoracle.__path__, f"{utxoracle.__name__}."):
        if not module.name.endswith("__main__"):
            import_module(module.name)
    # DuckDB loads some modules only when it is used.
    duckdb.connect().execute("SELECT ?, ?", [1, ""]).fetchall()
    os.setgroups([])
    os.setresgid(NOBODY, NOBODY, NOBODY)
    os.setresuid(NOBODY, NOBODY, NOBODY)

    from utxoracle.cli import main as program

    sys.argv = ["utxoracle", *command]
    program()


if __name__ == "__main__":
    main(*sys.argv[1:])
