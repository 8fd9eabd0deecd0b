"""Which server a simulated one plays."""

from enum import StrEnum


class Role(StrEnum):
    """What a server plays."""

    ALL = "all"
    BACKEND = "backend"
    FRONTEND = "frontend"
    ESPLORA = "esplora"
    ELECTRS = "electrs"
    BITCOIND = "bitcoind"
