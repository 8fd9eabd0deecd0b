"""Every setting, its default, its unit and the environment variable that sets it, in one place."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from utxoracle.errors import UsageError

LONGEST_TIMEOUT = 3600
"""Seconds."""

MOST_RETRIES = 10

HIGHEST_PORT = 65535

MOST_API_WORKERS = 64

HEALTH = "health"
PAGE = "page"
"""What may be had from the API without its token."""

SOURCE_EXAMPLES = "mempool+http://127.0.0.1:8999 or bitcoind+http://127.0.0.1:8332"

_NEXT_URL = re.compile(r"\s+(?=(?:files|sim|(?:mempool|bitcoind)\+https?):)")

_PREFIX = "UTXORACLE_"
_FOR_TESTS = "UTXORACLE_TEST_"

_NOT_NEGATIVE = (
    "retries",
    "workers",
    "time_budget",
    "stall_minutes",
    "run_minutes",
    "exchange_max_age",
    "exchange_patience",
    "min_price",
    "max_price",
    "min_outputs",
    "min_points",
    "min_confidence",
    "max_window_jump",
    "max_day_jump",
    "divergence",
    "backup_keep_days",
    "backup_keep_min",
    "backup_hours",
    "min_free",
)


def _setting(variable: str, default: Any, help_text: str) -> Any:
    return field(default=default, metadata={"variable": variable, "help": help_text})


@dataclass(frozen=True)
class Settings:
    """The settings of one run; nothing else reads the environment.

    Each field's metadata names its environment variable and says what it means.
    """

    source: str | None = _setting(
        "UTXORACLE_SOURCE",
        None,
        "where blocks come from, for example "
        + SOURCE_EXAMPLES
        + "; several, with spaces between, "
        "in order of preference",
    )
    data_dir: Path | None = _setting(
        "UTXORACLE_DATA_DIR",
        None,
        "folder of the database; $XDG_DATA_HOME/utxoracle when not set, hence mostly "
        "~/.local/share/utxoracle",
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
    retries: int = _setting(
        "UTXORACLE_RETRIES",
        3,
        "times that a request is made again when what made it fail can pass",
    )
    ca_file: Path | None = _setting(
        "UTXORACLE_CA_FILE",
        None,
        "certificates (PEM) by which servers behind https:// are checked; the usual ones when "
        "not set",
    )
    electrs_url: str | None = _setting(
        "UTXORACLE_ELECTRS_URL",
        None,
        "electrs beside a mempool back end that leaves blocks to it, for example "
        "http://127.0.0.1:3000",
    )
    workers: int = _setting(
        "UTXORACLE_WORKERS", 0, "processes that scan blocks side by side; 0: one for each core"
    )
    time_budget: float = _setting(
        "UTXORACLE_TIME_BUDGET",
        6000.0,
        "seconds after which a run that catches up ends, to be continued by the next",
    )
    stall_minutes: float = _setting(
        "UTXORACLE_STALL_MINUTES", 180.0, "minutes without a block after which the chain stalls"
    )
    run_minutes: float = _setting(
        "UTXORACLE_RUN_MINUTES",
        30.0,
        "minutes without a good run after which the service counts as unhealthy",
    )
    api_host: str = _setting("UTXORACLE_API_HOST", "127.0.0.1", "address that the API listens on")
    api_port: int = _setting("UTXORACLE_API_PORT", 8000, "port that the API listens on")
    api_workers: int = _setting("UTXORACLE_API_WORKERS", 2, "processes that answer requests")
    api_token_file: Path | None = _setting(
        "UTXORACLE_API_TOKEN_FILE",
        None,
        "file that holds the bearer token which requests must bring; none is wanted when not set",
    )
    api_open: str = _setting(
        "UTXORACLE_API_OPEN",
        PAGE,
        "what needs no token: page, health or both, with a space between; none: nothing",
    )
    api_cors: str | None = _setting(
        "UTXORACLE_API_CORS",
        None,
        "origins whose pages may read the API, with spaces between, or *; nobody's when not set",
    )
    exchange_url: str | None = _setting(
        "UTXORACLE_EXCHANGE_URL",
        None,
        "mempool back end to ask for exchange prices; the source when it is one and this isn't "
        "set; none: ask nobody",
    )
    exchange_max_age: int = _setting(
        "UTXORACLE_EXCHANGE_MAX_AGE",
        7200,
        "seconds that an exchange price may be older than its block",
    )
    exchange_timeout: float = _setting(
        "UTXORACLE_EXCHANGE_TIMEOUT",
        10.0,
        "seconds until a request for exchange prices is given up",
    )
    exchange_patience: float = _setting(
        "UTXORACLE_EXCHANGE_PATIENCE",
        2.0,
        "seconds that a run waits for exchange prices altogether; what is late is asked for again",
    )
    min_price: float = _setting(
        "UTXORACLE_MIN_PRICE", 10_000.0, "USD; a price below is stored as not valid"
    )
    max_price: float = _setting(
        "UTXORACLE_MAX_PRICE", 500_000.0, "USD; a price above is stored as not valid"
    )
    min_outputs: int = _setting(
        "UTXORACLE_MIN_OUTPUTS", 1000, "outputs; a price from fewer is stored as not valid"
    )
    min_points: int = _setting(
        "UTXORACLE_MIN_POINTS", 500, "price points; a price from fewer is stored as not valid"
    )
    min_confidence: float = _setting(
        "UTXORACLE_MIN_CONFIDENCE", 0.3, "a price of less confidence is stored as not valid"
    )
    max_window_jump: float = _setting(
        "UTXORACLE_MAX_WINDOW_JUMP",
        10.0,
        "percent; a window price farther from the valid one of the block before is not valid",
    )
    max_day_jump: float = _setting(
        "UTXORACLE_MAX_DAY_JUMP",
        35.0,
        "percent; a day's price farther from the valid one of the day before is not valid",
    )
    divergence: float = _setting(
        "UTXORACLE_DIVERGENCE",
        3.0,
        "percent between on-chain and exchange price from which on they diverge",
    )
    backup_dir: Path | None = _setting(
        "UTXORACLE_BACKUP_DIR",
        None,
        "folder of the backups; the folder backups in the data folder when not set",
    )
    backup_keep_days: int = _setting(
        "UTXORACLE_BACKUP_KEEP_DAYS", 30, "days after which a backup is removed"
    )
    backup_keep_min: int = _setting(
        "UTXORACLE_BACKUP_KEEP_MIN", 3, "good backups that are kept however old they are"
    )
    backup_hours: float = _setting(
        "UTXORACLE_BACKUP_HOURS",
        30.0,
        "hours after which a backup, or a dump of MariaDB, is overdue",
    )
    mount_point: str | None = _setting(
        "UTXORACLE_MOUNT_POINT",
        None,
        "where the disk of the data folder must be mounted; none: it may be the root disk",
    )
    min_free: float = _setting(
        "UTXORACLE_MIN_FREE", 10.0, "GB on the disk of the data folder below which it is low"
    )
    alert_url: str | None = _setting(
        "UTXORACLE_ALERT_URL", None, "webhook that alerts are sent to; nobody's when not set"
    )
    alert_url_file: Path | None = _setting(
        "UTXORACLE_ALERT_URL_FILE", None, "file that holds it, where the URL is a secret itself"
    )
    alert_secret_file: Path | None = _setting(
        "UTXORACLE_ALERT_SECRET_FILE", None, "file that holds the key by which alerts are signed"
    )
    alert_timeout: float = _setting(
        "UTXORACLE_ALERT_TIMEOUT", 5.0, "seconds until an alert is sent once more"
    )

    def __post_init__(self) -> None:
        """Refuse values that can't work, before anything is done with them."""
        for name in ("connect_timeout", "read_timeout", "exchange_timeout", "alert_timeout"):
            if not 0 < getattr(self, name) <= LONGEST_TIMEOUT:
                raise UsageError(
                    f"{variable_of(name)} must be greater than 0 and at most {LONGEST_TIMEOUT} "
                    "seconds"
                )
        if self.retries > MOST_RETRIES:
            raise UsageError(f"{variable_of('retries')} must be at most {MOST_RETRIES}")
        if not 0 <= self.api_port <= HIGHEST_PORT:
            raise UsageError(f"{variable_of('api_port')} must be from 0 to {HIGHEST_PORT}")
        if not 1 <= self.api_workers <= MOST_API_WORKERS:
            raise UsageError(f"{variable_of('api_workers')} must be from 1 to {MOST_API_WORKERS}")
        if not self.api_open_parts <= {HEALTH, PAGE}:
            raise UsageError(
                f"{variable_of('api_open')} must be {HEALTH}, {PAGE}, both with a space between, "
                f"or none, not {self.api_open!r}"
            )
        for name in _NOT_NEGATIVE:
            # Written this way round so that NaN is refused too.
            if not getattr(self, name) >= 0:
                raise UsageError(f"{variable_of(name)} must not be negative")
        if self.min_confidence > 1:
            raise UsageError(f"{variable_of('min_confidence')} must be at most 1, as all are")
        if not self.min_price <= self.max_price:
            raise UsageError(
                f"{variable_of('min_price')} must not be greater than {variable_of('max_price')}"
            )

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> "Settings":
        """Return the settings that `environ` holds; an empty variable counts as not set.

        Raises:
            UsageError: A value is not of its setting's kind, or there is no such setting.
        """
        # A slip of the pen must not leave a service without its token.
        known = [setting.metadata["variable"] for setting in fields(cls)]
        for name in environ:
            if name.startswith(_PREFIX) and name not in known and not name.startswith(_FOR_TESTS):
                from difflib import get_close_matches

                nearest = [one for one in known if one.startswith(f"{name}_")]
                nearest += get_close_matches(name, known, n=1, cutoff=0.8)
                raise UsageError(
                    f"there is no setting {name}"
                    + (f": is {nearest[0]} meant?" if nearest else "; see docs/usage.md")
                )
        values = {
            setting.name: _parse(setting.metadata["variable"], setting.type, text)
            for setting in fields(cls)
            if (text := environ.get(setting.metadata["variable"], "").strip())
        }
        return cls(**values)

    @property
    def api_open_parts(self) -> frozenset[str]:
        """Parts of the API that need no token: of HEALTH and PAGE."""
        return frozenset(self.api_open.split()) - {"none"}

    def data_folder(self, environ: Mapping[str, str] = os.environ) -> Path:
        """Return the folder of the database, which need not be there.

        Raises:
            UsageError: It isn't set, and there is no home folder to look in.
        """
        return self.data_dir or _xdg_folder(
            environ,
            "XDG_DATA_HOME",
            ".local/share",
            f"there is no home folder for the database: set {variable_of('data_dir')}",
        )

    def backup_folder(self, environ: Mapping[str, str] = os.environ) -> Path:
        """Return the folder of the backups, which need not be there.

        Raises:
            UsageError: As for the data folder, which it is in when it isn't set.
        """
        return self.backup_dir or self.data_folder(environ) / "backups"

    def state_folder(self, environ: Mapping[str, str] = os.environ) -> Path:
        """Return the folder for what must outlive the data folder's disk; it need not be there.

        Raises:
            UsageError: systemd names none, and there is no home folder to look in.
        """
        # systemd names one or several, with colons between.
        first = Path(environ.get("STATE_DIRECTORY", "").partition(":")[0])
        if first.is_absolute():
            return first
        return _xdg_folder(
            environ,
            "XDG_STATE_HOME",
            ".local/state",
            "there is no home folder for what alerts remember: set STATE_DIRECTORY",
        )

    def network_name(self) -> str:
        """Return the network to expect of the sources: a simulated chain is always a regtest one.

        Raises:
            UsageError: Another network was asked for, but a source is simulated.
        """
        if not any(url.startswith("sim:") for url in split_urls(self.source or "")):
            return self.network or "main"
        if self.network not in (None, "regtest"):
            raise UsageError(
                f"a sim: source is a regtest chain, but the network is set to {self.network!r}; "
                "leave --network and UTXORACLE_NETWORK out"
            )
        return "regtest"


def _xdg_folder(environ: Mapping[str, str], variable: str, usual: str, advice: str) -> Path:
    # XDG Base Directory Specification: a relative path counts as not set.
    base = Path(environ.get(variable, ""))
    if base.is_absolute():
        return base / "utxoracle"
    try:
        return Path.home() / usual / "utxoracle"
    except RuntimeError:
        raise UsageError(advice) from None


def split_urls(text: str) -> list[str]:
    """Return the URLs of sources that stand in `text` with spaces between them."""
    return [url for url in _NEXT_URL.split(text.strip()) if url]


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
