"""What this program is made of."""

import platform
from importlib.metadata import PackageNotFoundError, version

from utxoracle import __version__
from utxoracle.jobs.health import Check, CheckStatus
from utxoracle.store.schema import known_version

_PACKAGES = ("duckdb", "falcon", "gunicorn")


def versions() -> Check:
    """Tell the versions that a report of a fault should name."""
    told = [f"utxoracle {__version__}", f"Python {platform.python_version()}"]
    for name in _PACKAGES:
        try:
            told.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            return Check(
                CheckStatus.ERROR, f"the package {name} is missing: install utxoracle anew"
            )
    return Check(CheckStatus.OK, ", ".join([*told, f"schema {known_version()}"]))
