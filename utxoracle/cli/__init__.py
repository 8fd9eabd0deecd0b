"""The command line: parses, calls a job, prints, and turns errors into exit codes."""

from utxoracle.cli.program import main

__all__ = ["main"]
