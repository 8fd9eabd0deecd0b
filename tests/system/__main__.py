"""Run scenarios on hosts of this machine: python -m tests.system [--long] SCENARIO..."""

import argparse
import os
import sys
from pathlib import Path

from tests.system import driver, enclosed


def main() -> int:
    """Run the scenarios that are named on the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.system", description=__doc__)
    parser.add_argument("scenarios", nargs="+", choices=driver.scenarios())
    parser.add_argument("--long", action="store_true", help="as long as they are meant to be")
    args = parser.parse_args()
    if enclosed.FOLDER not in os.environ:
        return enclosed.run("tests.system", *sys.argv[1:])
    try:
        for name in args.scenarios:
            driver.run(name, Path(os.environ[enclosed.FOLDER]), is_long=args.long)
    except KeyboardInterrupt:
        return enclosed.INTERRUPTED
    return 0


if __name__ == "__main__":
    sys.exit(main())
