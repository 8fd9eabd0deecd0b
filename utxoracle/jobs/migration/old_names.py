"""The names of the old settings, and what each becomes: as data."""

from dataclasses import dataclass
from enum import Enum

from utxoracle.jobs.migration.old_settings import Role

OptionPath = tuple[str, ...]
"""Of an option, below services.utxoracle."""


class ValueType(Enum):
    """What a value must be."""

    TEXT = "a text"
    PORT = "a port"
    NUMBER = "a number"
    SOURCE = "the URL of a back end"
    NETWORK = "the name of a network"
    ELECTRS = "none, electrum or esplora"


@dataclass(frozen=True)
class Option:
    """A setting that becomes an option.

    Attributes:
        path: The option.
        kind: What its value must be.
        note: What is different from now on; empty: nothing.
    """

    path: OptionPath
    kind: ValueType = ValueType.TEXT
    note: str = ""


@dataclass(frozen=True)
class Password:
    """A setting whose value goes to a file.

    Attributes:
        path: The option that names the file.
        file: Its name.
        cure: How to change the password where the back end's start script can't bear it; empty:
            it doesn't pass through that.
        note: What is different from now on; empty: nothing.
    """

    path: OptionPath
    file: str
    cure: str = ""
    note: str = ""


@dataclass(frozen=True)
class Nothing:
    """A setting that becomes nothing; `why` goes on behind its name."""

    why: str


Rule = Option | Password | Nothing

NODE_HOST: OptionPath = ("bitcoin", "rpc", "host")
NODE_PASSWORD: OptionPath = ("bitcoin", "rpc", "passwordFile")
NODE_COOKIE: OptionPath = ("bitcoin", "rpc", "cookieFile")
BACKEND_PORT: OptionPath = ("mempool", "backend", "port")
WEB_PORT: OptionPath = ("mempool", "web", "port")
ELECTRS_MODE: OptionPath = ("mempool", "electrs", "mode")
ELECTRS_ENABLE: OptionPath = ("mempool", "electrs", "enable")
OF_UTXORACLE = "settings"
"""What the paths of its own settings begin with."""

SOURCE: OptionPath = (OF_UTXORACLE, "UTXORACLE_SOURCE")

DATABASE_PATHS = ("DUCKDB_PATH", "DUCKDB_BACKUP_PATH", "UTXORACLE_DB_PATH")
"""What named the predecessor's databases."""


def _never(name: str, option: str) -> Nothing:
    return Nothing(f"never had an effect: the real name is {name}, here {option}")


_OF_THE_MODULE = Nothing("is set by the module itself")
_NO_MORE = Nothing("belongs to a part that there is none of here")
_ALTER = "change it with ALTER USER"
_DATABASE_PASSWORD = Password(("mempool", "db", "passwordFile"), "db-password", _ALTER)
_ROOT_PASSWORD = Password(("mempool", "db", "rootPasswordFile"), "db-root-password")
_DATABASE_NAME = Option(("mempool", "settings", "DATABASE_DATABASE"))
_DATABASE_USER = Option(("mempool", "settings", "DATABASE_USERNAME"))
_LOOSER = "had no effect where it was looser than {}, and has from now on"
_ALERT_FILE = (
    "goes to a file that only root can read, on the disk whose absence is one of the alerts: the "
    "command below puts it where the user utxoracle can"
)
_ALERT_TIMEOUT = Option(("settings", "UTXORACLE_ALERT_TIMEOUT"), ValueType.NUMBER)
_ALERT_SEVERITY = Nothing("is not taken: each condition alerts once, and when it clears")
_ALERT_RETRIES = Nothing("is not taken: an alert is tried three times")
_LOG = Nothing("is not taken: logs are in the journal, see journalctl -u 'utxoracle-*'")
_FALLBACK = Nothing(
    "is not taken: nobody else is asked for blocks unless settings.UTXORACLE_SOURCE names them"
)
_NODE_LOGIN = Nothing(
    "is not taken: the price job read its login from bitcoin.conf; put it into bitcoin.rpc.user "
    "and the file of bitcoin.rpc.passwordFile"
)
_DATABASE_PATH = Nothing("is not taken: the new database is in storage.base; its rows are imported")

RULES: dict[str, Rule] = {
    # The compose stack
    "CORE_RPC_HOST": Option(NODE_HOST),
    "CORE_RPC_PORT": Option(("bitcoin", "rpc", "port"), ValueType.PORT),
    "CORE_RPC_USERNAME": Option(("bitcoin", "rpc", "user")),
    "CORE_RPC_PASSWORD": Password(
        NODE_PASSWORD, "bitcoin-rpc-password", "change it in bitcoin.conf"
    ),
    "CORE_RPC_COOKIE": Nothing(
        "is not taken: containers can't follow a cookie, which is new at each start of the node; "
        "give them bitcoin.rpc.user and bitcoin.rpc.passwordFile"
    ),
    "CORE_RPC_COOKIE_PATH": Option(
        NODE_COOKIE, note="was a path inside the container: put in the one on this machine"
    ),
    "DATABASE_PASSWORD": _DATABASE_PASSWORD,
    "MYSQL_PASSWORD": _DATABASE_PASSWORD,
    "MARIADB_PASSWORD": _DATABASE_PASSWORD,
    "MYSQL_ROOT_PASSWORD": _ROOT_PASSWORD,
    "MARIADB_ROOT_PASSWORD": _ROOT_PASSWORD,
    "DATABASE_DATABASE": _DATABASE_NAME,
    "MYSQL_DATABASE": _DATABASE_NAME,
    "MARIADB_DATABASE": _DATABASE_NAME,
    "DATABASE_USERNAME": _DATABASE_USER,
    "MYSQL_USER": _DATABASE_USER,
    "MARIADB_USER": _DATABASE_USER,
    "BACKEND_HTTP_PORT": Option(BACKEND_PORT, ValueType.PORT),
    "FRONTEND_HTTP_PORT": Option(WEB_PORT, ValueType.PORT),
    "MEMPOOL_BACKEND": Option(ELECTRS_MODE, ValueType.ELECTRS),
    "MEMPOOL_NETWORK": Option(("network",), ValueType.NETWORK),
    **dict.fromkeys(
        (
            "DATABASE_ENABLED",
            "DATABASE_HOST",
            "DATABASE_PORT",
            "DATABASE_SOCKET",
            "ELECTRUM_HOST",
            "ELECTRUM_PORT",
            "ELECTRUM_TLS_ENABLED",
            "ESPLORA_REST_API_URL",
            "BACKEND_MAINNET_HTTP_HOST",
            "BACKEND_MAINNET_HTTP_PORT",
            "MEMPOOL_CACHE_DIR",
            "MEMPOOL_API_URL_PREFIX",
            "MARIADB_AUTO_UPGRADE",
            "RUST_LOG",
        ),
        _OF_THE_MODULE,
    ),
    # What the stack's guide named, and nothing ever read
    "MYSQL_HOST": _never("DATABASE_HOST", "set by the module"),
    "MYSQL_PORT": _never("DATABASE_PORT", "set by the module"),
    "MYSQL_PASS": _never("DATABASE_PASSWORD", "mempool.db.passwordFile"),
    "MEMPOOL_BACKEND_HTTP_HOST": Nothing(
        "never had an effect: the back end listens on all addresses of its container, and the "
        "module lets only this machine in"
    ),
    "MEMPOOL_BACKEND_HTTP_PORT": _never("BACKEND_HTTP_PORT", "mempool.backend.port"),
    "MEMPOOL_HTTP_PORT": _never("BACKEND_HTTP_PORT", "mempool.backend.port"),
    "MEMPOOL_FRONTEND_HTTP_PORT": _never("FRONTEND_HTTP_PORT", "mempool.web.port"),
    "MEMPOOL_BACKEND_HTTP_CORS_ALLOW_ALL": Nothing(
        "never had an effect: the back end lets the pages of all sites read it"
    ),
    "MEMPOOL_PRICE_UPDATE_INTERVAL": _never(
        "MEMPOOL_PRICE_UPDATES_PER_HOUR", "mempool.settings.MEMPOOL_PRICE_UPDATES_PER_HOUR"
    ),
    "ELECTRS_DB_CACHE_MB": Nothing("never had an effect: electrs takes flags only"),
    # The price job
    "UTXORACLE_DATA_DIR": Nothing("never had an effect: no code read it; here storage.base says"),
    "UTXORACLE_MIN_PRICE_USD": _never("MIN_PRICE_USD", "settings.UTXORACLE_MIN_PRICE"),
    "UTXORACLE_MAX_PRICE_USD": _never("MAX_PRICE_USD", "settings.UTXORACLE_MAX_PRICE"),
    "ANALYSIS_INTERVAL_MINUTES": Nothing(
        "never had an effect: cron decided; here analysis.onCalendar does"
    ),
    "UTXORACLE_CONFIDENCE_THRESHOLD": Option(
        ("settings", "UTXORACLE_MIN_CONFIDENCE"),
        ValueType.NUMBER,
        f"{_LOOSER.format('0.3')}; the confidence is another measure now, so look at some days "
        "before you keep the limit",
    ),
    "MIN_PRICE_USD": Option(
        ("settings", "UTXORACLE_MIN_PRICE"), ValueType.NUMBER, _LOOSER.format("10000")
    ),
    "MAX_PRICE_USD": Option(
        ("settings", "UTXORACLE_MAX_PRICE"), ValueType.NUMBER, _LOOSER.format("500000")
    ),
    "MEMPOOL_API_URL": Option(
        SOURCE,
        ValueType.SOURCE,
        note="is the source of blocks now, and would be of exchange prices; leave it out to use "
        "the module's own back end",
    ),
    "MEMPOOL_WS_URL": _NO_MORE,
    "MEMPOOL_FALLBACK_ENABLED": _FALLBACK,
    "MEMPOOL_FALLBACK_URL": _FALLBACK,
    "BITCOIN_DATADIR": Nothing(
        "is not taken: blocks are asked for over HTTP; the login in its bitcoin.conf goes to "
        "bitcoin.rpc.user and the file of bitcoin.rpc.passwordFile"
    ),
    "BITCOIN_RPC_URL": _NODE_LOGIN,
    "BITCOIN_RPC_USER": _NODE_LOGIN,
    "BITCOIN_RPC_PASSWORD": _NODE_LOGIN,
    **dict.fromkeys(DATABASE_PATHS, _DATABASE_PATH),
    "FASTAPI_HOST": Nothing(
        "is not taken, since it mostly was everyone's: api.address says where the API listens"
    ),
    "FASTAPI_PORT": Option(("api", "port"), ValueType.PORT),
    "FASTAPI_WORKERS": Nothing("is not taken: api.workers says how many answer"),
    "MAX_MEMORY_MB": Nothing("is not taken: the units have limits of their own"),
    "LOG_LEVEL": _LOG,
    "LOG_FILE": _LOG,
    "LOG_RETENTION_DAYS": _LOG,
    "TZ": Nothing("is not taken: days, times and the hour of the backup are UTC from now on"),
    "ALERT_WEBHOOK_URL": Password(
        ("settings", "UTXORACLE_ALERT_URL_FILE"), "alert-url", note=_ALERT_FILE
    ),
    "ALERT_WEBHOOK_SECRET": Password(
        ("settings", "UTXORACLE_ALERT_SECRET_FILE"), "alert-secret", note=_ALERT_FILE
    ),
    "ALERT_PRICE_MIN_DIVERGENCE": Option(("settings", "UTXORACLE_DIVERGENCE"), ValueType.NUMBER),
    "ALERT_PRICE_ENABLED": Nothing("is not taken: prices that diverge always alert"),
    "ALERT_TIMEOUT_SECONDS": _ALERT_TIMEOUT,
    "ALERT_WEBHOOK_TIMEOUT_SECONDS": _ALERT_TIMEOUT,
    "ALERT_MIN_SEVERITY": _ALERT_SEVERITY,
    "ALERT_WEBHOOK_MIN_SEVERITY": _ALERT_SEVERITY,
    "ALERT_MAX_RETRIES": _ALERT_RETRIES,
    "ALERT_WEBHOOK_MAX_RETRIES": _ALERT_RETRIES,
    "ALERT_ENABLED": Nothing("is not taken: alerts are sent where there is a webhook to send to"),
    "ALERT_WEBHOOK_ENABLED": Nothing(
        "is not taken: alerts are sent where there is a webhook to send to"
    ),
}

_BACKEND_NAMES = frozenset(
    [
        "MEMPOOL_ENABLED",
        "MEMPOOL_OFFICIAL",
        "MEMPOOL_SPAWN_CLUSTER_PROCS",
        "MEMPOOL_POLL_RATE_MS",
        "MEMPOOL_CACHE_ENABLED",
        "MEMPOOL_CLEAR_PROTECTION_MINUTES",
        "MEMPOOL_RECOMMENDED_FEE_PERCENTILE",
        "MEMPOOL_BLOCK_WEIGHT_UNITS",
        "MEMPOOL_INITIAL_BLOCKS_AMOUNT",
        "MEMPOOL_MEMPOOL_BLOCKS_AMOUNT",
        "MEMPOOL_INDEXING_BLOCKS_AMOUNT",
        "MEMPOOL_BLOCKS_SUMMARIES_INDEXING",
        "MEMPOOL_GOGGLES_INDEXING",
        "MEMPOOL_EXTERNAL_ASSETS",
        "MEMPOOL_EXTERNAL_MAX_RETRY",
        "MEMPOOL_EXTERNAL_RETRY_INTERVAL",
        "MEMPOOL_USER_AGENT",
        "MEMPOOL_STDOUT_LOG_MIN_PRIORITY",
        "MEMPOOL_AUTOMATIC_BLOCK_REINDEXING",
        "MEMPOOL_POOLS_JSON_URL",
        "MEMPOOL_POOLS_JSON_TREE_URL",
        "MEMPOOL_AUDIT",
        "MEMPOOL_RUST_GBT",
        "MEMPOOL_LIMIT_GBT",
        "MEMPOOL_CPFP_INDEXING",
        "MEMPOOL_MAX_BLOCKS_BULK_QUERY",
        "MEMPOOL_DISK_CACHE_BLOCK_INTERVAL",
        "MEMPOOL_MAX_PUSH_TX_SIZE_WEIGHT",
        "MEMPOOL_ALLOW_UNREACHABLE",
        "MEMPOOL_PRICE_UPDATES_PER_HOUR",
        "MEMPOOL_MAX_TRACKED_ADDRESSES",
        "CORE_RPC_TIMEOUT",
        "ESPLORA_REQUEST_TIMEOUT",
        "ESPLORA_FALLBACK_TIMEOUT",
        "ESPLORA_BATCH_QUERY_BASE_SIZE",
        "DATABASE_TIMEOUT",
        "DATABASE_POOL_SIZE",
        "STATISTICS_ENABLED",
        "STATISTICS_TX_PER_SECOND_SAMPLE_PERIOD",
        "MAXMIND_ENABLED",
        "REPLICATION_ENABLED",
        "REPLICATION_AUDIT",
        "LIGHTNING_ENABLED",
        "FIAT_PRICE_ENABLED",
        "SYSLOG_ENABLED",
        "SOCKS5PROXY_ENABLED",
        "SOCKS5PROXY_HOST",
        "SOCKS5PROXY_PORT",
        "SOCKS5PROXY_USE_ONION",
    ]
)
"""What the back end's start script reads beside those above."""

_GONE = (
    "ALERT_WHALE_", "ALERT_SIGNAL_", "ALERT_REGIME_", "COINTIME_", "QUESTDB_", "RBN_", "UTXO_",
    "WASSERSTEIN_", "WHALE_",
)  # fmt: skip
"""What the names of parts began with that there are none of here."""


def rule_of(name: str, role: Role | None) -> Rule | None:
    """Return what becomes of a setting of a service; None where the name isn't known."""
    if role == Role.BACKEND and name.startswith(("MYSQL_", "MARIADB_")):
        return Nothing("never had an effect on the back end: the real names begin with DATABASE_")
    if role == Role.DATABASE and name.startswith("DATABASE_"):
        return Nothing("never had an effect on the database: the real names begin with MYSQL_")
    if name in _BACKEND_NAMES:
        return Option(("mempool", "settings", name))
    if name.startswith(_GONE):
        return _NO_MORE
    return RULES.get(name)
