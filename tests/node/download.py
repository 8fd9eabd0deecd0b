"""bitcoind: one of this machine's, or that of Debian's package. As a program, this downloads it."""

import os
import sys

from tests.debian import ProgramUnavailable, debian_program

OWN_BITCOIND = "UTXORACLE_TEST_BITCOIND"
"""Variable that names a bitcoind to test with instead."""


def bitcoind_command() -> list[str]:
    """Return the beginning of a command that runs bitcoind, which is downloaded if need be.

    Raises:
        ProgramUnavailable: There is none, and it can't be downloaded here.
    """
    own = os.environ.get(OWN_BITCOIND)
    if not own:
        try:
            return debian_program("bitcoin-knots", "sid", "usr/bin/bitcoind")
        except ProgramUnavailable as error:
            raise ProgramUnavailable(
                f"no bitcoind: {error}; or set {OWN_BITCOIND} to the path of one"
            ) from None
    if not os.access(own, os.X_OK):
        raise ProgramUnavailable(f"{own} ({OWN_BITCOIND}) is no program")
    return [own]


if __name__ == "__main__":
    try:
        bitcoind_command()
    except ProgramUnavailable as error:
        sys.exit(str(error))
