"""What a folder of the old tree holds, told by files that only such data has."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from enum import StrEnum
from pathlib import Path


class Kind(StrEnum):
    """What there is to take over, by the name that options take; in the order of taking."""

    DATABASE = "database"
    MYSQL = "mysql"
    ELECTRS = "electrs"
    BITCOIN = "bitcoin"
    CACHE = "cache"
    STACK_LOGS = "stack-logs"
    LOGS = "logs"


_NETWORKS = ("mainnet", "bitcoin", "testnet", "testnet3", "testnet4", "signet", "regtest")
"""What both kinds of electrs call the folder of a network within their own."""

_SYSTEM_TABLES = (".frm", ".MYD", ".MYI", ".MAD", ".MAI", ".ibd")


def kind_of(folder: Path) -> Kind | None:
    """Return what a folder holds; None where it is none of these, or may not be looked into."""
    for kind, holds in _SIGNS.items():
        with suppress(PermissionError):
            if holds(folder):
                return kind
    return None


def _is_bitcoin(folder: Path) -> bool:
    return (folder / "blocks").is_dir() and (folder / "chainstate").is_dir()


def _is_mysql(folder: Path) -> bool:
    tables = folder / "mysql"
    return (folder / "ibdata1").is_file() or (
        # Not any folder of that name: a stack's may hold mysql/data.
        tables.is_dir() and any(path.suffix in _SYSTEM_TABLES for path in tables.iterdir())
    )


def _is_electrs(folder: Path) -> bool:
    return has_mempool_index(folder) or any(_is_rocksdb(folder / name) for name in ("", *_NETWORKS))


def has_mempool_index(folder: Path) -> bool:
    """Tell whether a folder of an electrs is of mempool's, which another one can't use."""
    return any((folder / name / "newindex").is_dir() for name in ("", *_NETWORKS))


def _is_rocksdb(folder: Path) -> bool:
    current = folder / "CURRENT"
    return current.is_file() and current.read_bytes().startswith(b"MANIFEST-")


def _is_cache(folder: Path) -> bool:
    return any((folder / name).is_file() for name in ("cache.json", "cache1.json", "rbfcache.json"))


_SIGNS: Mapping[Kind, Callable[[Path], bool]] = {
    # Before electrs: its chainstate has a file CURRENT too.
    Kind.BITCOIN: _is_bitcoin,
    Kind.MYSQL: _is_mysql,
    Kind.ELECTRS: _is_electrs,
    Kind.CACHE: _is_cache,
}
