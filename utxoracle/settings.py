"""Every setting, its default, its unit and the environment variable that sets it, in one place."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from utxoracle.errors import UsageError

LONGEST_TIMEOUT = 3600
"""Seconds."""

SOURCE_EXAMPLES = "mempool+http://127.0.0.1:8999 or bitcoind+http://127.0.0.1:8332"


def _setting(variable: str, default: Any, help_text: str) -> Any:
    return field(default=default, metadata={"variable": variable, "help": help_text})


@dataclass(frozen=True)
class Settings:
    """The settings of one run; nothing else reads the environment.

    Each field's metadata names its environment variable and says what it means.
    """

    source: str | None = _setting(
        "UTXORACLE_SOURCE", None, "where blocks come from, for example " + SOURCE_EXAMPLES
    )
    network: str | None = _setting(
        "UTXORACLE_NETWORK",
        None,
        "main, test, testnet4, signet or regtest; main when not set, regtest for a sim: source",
    )
    rpc_user: str | None = _setting(
        "UTXORACLE_RPC_USER", None, "user name for bitcoind's JSON-RPC, when no cookie is used"
    )
    rpc_password_file: Path | None = _setting(
        "UTXORACLE_RPC_PASSWORD_FILE", None, "file that holds the password of that user"
    )
    connect_timeout: float = _setting(
        "UTXORACLE_CONNECT_TIMEOUT", 5.0, "seconds to wait for a connection to a source"
    )
    read_timeout: float = _setting(
        "UTXORACLE_READ_TIMEOUT",
        90.0,
        "seconds to wait for an answer; a mempool back end takes 60 to say that its node hangs",
    )
    workers: int = _setting(
        "UTXORACLE_WORKERS", 0, "processes that scan blocks side by side; 0: one for each core"
    )

    def __post_init__(self) -> None:
        """Refuse values that can't work, before anything is done with them."""
        for name in ("connect_timeout", "read_timeout"):
            if not 0 < getattr(self, name) <= LONGEST_TIMEOUT:
                raise UsageError(
                    f"{variable_of(name)} must be greater than 0 and at most {LONGEST_TIMEOUT} "
                    "seconds"
                )
        if self.workers < 0:
            raise UsageError(f"{variable_of('workers')} must not be negative")

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> "Settings":
        """Return the settings that `environ` holds; an empty variable counts as not set.

        Raises:
            UsageError: A value is not of its setting's kind.
        """
        values = {
            setting.name: _parse(setting.metadata["variable"], setting.type, text)
            for setting in fields(cls)
            if (text := environ.get(setting.metadata["variable"], "").strip())
        }
        return cls(**values)

    def network_name(self, source: str) -> str:
        """Return the network to expect of `source`: a simulated chain is always a regtest one.

        Raises:
            UsageError: Another network was asked for, but `source` is simulated.
        """
        if not source.startswith("sim:"):
            return self.network or "main"
        if self.network not in (None, "regtest"):
            raise UsageError(
                f"a sim: source is a regtest chain, but the network is set to {self.network!r}; "
                "leave --network and UTXORACLE_NETWORK out"
            )
        return "regtest"


def variable_of(name: str) -> str:
    """Return the environment variable of the setting that is called `name` in the code."""
    return next(str(one.metadata["variable"]) for one in fields(Settings) if one.name == name)


def _parse(variable: str, kind: Any, text: str) -> Any:
    convert: Any = {float: float, int: int, Path | None: Path}.get(kind, str)
    try:
        return convert(text)
    except ValueError:
        what = "a whole number" if kind is int else "a number"
        raise UsageError(f"{variable} must be {what}, not {text!r}") from None
