import shutil
import subprocess
from pathlib import Path

import pytest

from tests.old_tree import COMPOSE, COMPOSE_ENV_FILE, ENV_FILE, SECRETS, write
from tests.unit.jobs.migration.translating import (
    BASE,
    FOLDER,
    SETUP_SCRIPT,
    USAGE,
    options,
    remarks,
    secrets,
    translated,
)
from utxoracle.jobs.migration.compose import translate
from utxoracle.jobs.migration.kinds import Kind
from utxoracle.jobs.migration.old_names import RULES, Nothing, Option, Password, rule_of
from utxoracle.settings import Settings, variable_of


def test_the_old_settings_of_stack_and_price_job_are_translated(tmp_path):
    files = [
        write(tmp_path / "mempool-stack" / ".env", COMPOSE_ENV_FILE),
        write(tmp_path / "mempool-stack" / "docker-compose.yml", COMPOSE),
        write(tmp_path / "UTXOracle" / ".env", ENV_FILE),
    ]
    found = translate(files, base=BASE, owners={Kind.MYSQL: 999})
    assert (
        found.nix
        == f"""\
services.utxoracle = {{
  enable = true;
  storage.base = "{BASE}";
  bitcoin.rpc = {{
    host = "192.168.1.111";
    port = 8332;
    user = "bitcoinrpc";
    passwordFile = "{FOLDER}/bitcoin-rpc-password";
  }};
  mempool = {{
    db = {{
      passwordFile = "{FOLDER}/db-password";
      uid = 999;
    }};
    electrs.mode = "esplora";
  }};
  api.port = 8000;
  settings = {{
    UTXORACLE_MIN_CONFIDENCE = 0.4;
    UTXORACLE_MIN_PRICE = 20000;
    UTXORACLE_ALERT_URL_FILE = "/etc/utxoracle/alert-url";
  }};
}};
"""
    )
    assert {*secrets(found).values()} == {*SECRETS}
    assert found.databases == [
        BASE / "utxoracle/data/utxoracle_cache.db",
        Path("/tmp/utxoracle_backup.duckdb"),
    ]
    assert not [one for one in SECRETS if one in found.nix + "".join(found.remarks)]


def test_what_the_old_setup_script_made_is_translated(tmp_path):
    found = translated(tmp_path, compose=SETUP_SCRIPT)
    assert (
        options(found)
        == f"""\
bitcoin.rpc = {{
  host = "127.0.0.1";
  port = 8332;
  user = "bitcoinrpc";
  passwordFile = "{FOLDER}/bitcoin-rpc-password";
}};
mempool = {{
  db = {{
    passwordFile = "{FOLDER}/db-password";
    rootPasswordFile = "{FOLDER}/db-root-password";
  }};
  electrs.mode = "esplora";
  settings.STATISTICS_ENABLED = "true";
  web.port = 8081;
}};""".splitlines()
    )
    assert secrets(found) == {
        "db-password": "db-hunter2",
        "db-root-password": "root-hunter2",
        "bitcoin-rpc-password": "$(openssl rand -hex 32)",
    }
    assert "hunter2" not in found.nix + "".join(found.remarks)
    told = remarks(found)
    assert "port 8081 was open to everyone who reached the machine: it will be on 127.0.0.1 " \
        "alone" in told  # fmt: skip
    assert "MEMPOOL_HTTP_PORT never had an effect: the real name is BACKEND_HTTP_PORT, here " \
        "mempool.backend.port" in told  # fmt: skip
    assert [one for one in told if one.startswith("MEMPOOL_PRICE_UPDATE_INTERVAL never had")]
    assert [one for one in told if "the flags of electrs (its command) are not read" in one]


def test_each_setting_of_the_old_guide_is_translated_or_told(tmp_path):
    names = [
        "CORE_RPC_HOST", "CORE_RPC_PORT", "CORE_RPC_USERNAME", "CORE_RPC_PASSWORD",
        "ELECTRUM_HOST", "ELECTRUM_PORT", "ELECTRUM_TLS_ENABLED", "MYSQL_HOST", "MYSQL_PORT",
        "MYSQL_DATABASE", "MYSQL_USER", "MYSQL_PASS", "MEMPOOL_BACKEND_HTTP_HOST",
        "MEMPOOL_BACKEND_HTTP_PORT", "MEMPOOL_FRONTEND_HTTP_PORT",
        "MEMPOOL_BACKEND_HTTP_CORS_ALLOW_ALL", "ELECTRS_DB_CACHE_MB", "DUCKDB_PATH",
        "DUCKDB_BACKUP_PATH", "UTXORACLE_DATA_DIR", "UTXORACLE_DB_PATH", "BITCOIN_DATADIR",
        "MEMPOOL_API_URL", "MEMPOOL_FALLBACK_ENABLED", "MEMPOOL_FALLBACK_URL", "LOG_LEVEL",
        "ANALYSIS_INTERVAL_MINUTES", "UTXORACLE_CONFIDENCE_THRESHOLD", "MIN_PRICE_USD",
        "MAX_PRICE_USD", "UTXORACLE_MIN_PRICE_USD", "UTXORACLE_MAX_PRICE_USD",
        "ALERT_WEBHOOK_URL", "ALERT_WEBHOOK_SECRET", "ALERT_WEBHOOK_ENABLED",
        "ALERT_WEBHOOK_MIN_SEVERITY", "ALERT_WEBHOOK_TIMEOUT_SECONDS",
        "ALERT_WEBHOOK_MAX_RETRIES", "ALERT_PRICE_ENABLED", "ALERT_PRICE_MIN_DIVERGENCE",
        "FASTAPI_HOST", "FASTAPI_PORT", "MAX_MEMORY_MB",
    ]  # fmt: skip
    assert [name for name in names if rule_of(name, None) is None] == []
    found = translated(tmp_path, "\n".join(f"{name}=hunter2" for name in names))
    told = "\n".join(remarks(found))
    for name in names:
        translated_quietly = isinstance(RULES[name], Option | Password) and name not in told
        assert f"{name} " in told or translated_quietly, name
    assert "hunter2" not in told


@pytest.mark.parametrize(
    ("name", "real"),
    [
        ("MYSQL_HOST", "DATABASE_HOST"),
        ("MYSQL_PORT", "DATABASE_PORT"),
        ("MYSQL_PASS", "DATABASE_PASSWORD"),
        ("MEMPOOL_BACKEND_HTTP_HOST", "only this machine"),
        ("MEMPOOL_BACKEND_HTTP_PORT", "BACKEND_HTTP_PORT"),
        ("MEMPOOL_FRONTEND_HTTP_PORT", "FRONTEND_HTTP_PORT"),
        ("MEMPOOL_BACKEND_HTTP_CORS_ALLOW_ALL", "all sites"),
        ("ELECTRS_DB_CACHE_MB", "flags only"),
        ("UTXORACLE_DATA_DIR", "storage.base"),
        ("UTXORACLE_MIN_PRICE_USD", "MIN_PRICE_USD"),
        ("UTXORACLE_MAX_PRICE_USD", "MAX_PRICE_USD"),
        ("ANALYSIS_INTERVAL_MINUTES", "analysis.onCalendar"),
    ],
)
def test_a_name_that_never_had_an_effect_is_told_with_what_to_use(tmp_path, name, real):
    found = translated(tmp_path, f"{name}=1")
    assert options(found) == []
    assert found.secrets == []
    (remark,) = remarks(found)
    assert remark.startswith(f"{name} never had an effect: ")
    assert real in remark
    assert found.remarks[0].startswith("stack/.env line 1: ")


def test_the_database_s_names_had_no_effect_on_the_back_end(tmp_path):
    compose = """\
services:
  api:
    environment:
      MYSQL_PASSWORD: hunter2
  db:
    environment:
      DATABASE_PASSWORD: hunter2
"""
    found = translated(tmp_path, compose=compose)
    assert found.secrets == []
    assert [one.split(":")[0] for one in remarks(found)] == [
        "MYSQL_PASSWORD never had an effect on the back end",
        "DATABASE_PASSWORD never had an effect on the database",
    ]


def test_a_name_from_which_the_compose_file_makes_one_that_is_known_is_not_listed(tmp_path):
    compose = """\
services:
  api:
    environment:
      CORE_RPC_USERNAME: ${NODE_USER}
      CORE_RPC_PORT: $NODE_PORT
    volumes:
      - ${PLACE}:/data
  web:
    ports:
      - "127.0.0.1:${WEB:-80}:8080"
"""
    env = "NODE_USER=me\nNODE_PORT=8332\nWEB=81\nPLACE=/x\nWEBHOOK_URL=hunter2\n"
    found = translated(tmp_path, env, compose)
    assert options(found) == [
        "bitcoin.rpc = {",
        '  user = "me";',
        "  port = 8332;",
        "};",
        "mempool.web.port = 81;",
    ]
    assert remarks(found) == ["not known here, so not translated: PLACE, WEBHOOK_URL"]


def test_every_name_that_is_taken_is_in_the_documentation():
    chapter = USAGE.partition("### The predecessor's settings")[2].partition("\n## ")[0]
    for name, rule in RULES.items():
        prefix, _, rest = name.partition("_")
        named = f"`{rest}`" if prefix in ("MYSQL", "MARIADB") else f"`{name}`"
        assert isinstance(rule, Nothing) or named in chapter, name


def test_what_is_of_utxoracle_is_given_as_lines_for_utxoracle_env_too(tmp_path):
    env = (
        "MEMPOOL_NETWORK=testnet\nBACKEND_HTTP_PORT=9000\nFASTAPI_PORT=8001\nMIN_PRICE_USD=20000\n"
        "ALERT_WEBHOOK_URL=hunter2\nCORE_RPC_PASSWORD=hunter2\nMEMPOOL_BACKEND=esplora\n"
    )
    found = translated(tmp_path, env)
    assert found.env == (
        f"UTXORACLE_DATA_DIR={BASE}/utxoracle/data\n"
        "UTXORACLE_SOURCE=mempool+http://127.0.0.1:9000\n"
        "UTXORACLE_NETWORK=test\n"
        "UTXORACLE_API_PORT=8001\n"
        "UTXORACLE_MIN_PRICE=20000\n"
        "UTXORACLE_ALERT_URL_FILE=/etc/utxoracle/alert-url\n"
    )
    assert Settings.from_environment(read_by_a_shell(found.env)).api_port == 8001


def test_secrets_of_alerts_are_put_where_the_user_of_the_services_can_read_them(tmp_path):
    env = "ALERT_WEBHOOK_URL=hunter2\nALERT_WEBHOOK_SECRET=hunter3\nCORE_RPC_PASSWORD=hunter2\n"
    install = "install -D -o utxoracle -g utxoracle -m 400"
    assert translated(tmp_path, env).commands == [
        f"{install} {FOLDER}/alert-url /etc/utxoracle/alert-url",
        f"{install} {FOLDER}/alert-secret /etc/utxoracle/alert-secret",
    ]
    assert translated(tmp_path, "CORE_RPC_PASSWORD=hunter2\n").commands == []


def test_lines_for_utxoracle_env_are_read_back_as_they_were(tmp_path):
    found = translate(
        [write(tmp_path / ".env", "MEMPOOL_API_URL=http://node.lan:8999/b'c$$d;e\n")],
        base=Path("/mnt/a disk"),
    )
    settings = Settings.from_environment(read_by_a_shell(found.env))
    assert settings.source == "mempool+http://node.lan:8999/b'c$d;e"
    assert settings.data_dir == Path("/mnt/a disk/utxoracle/data")


def read_by_a_shell(lines):
    """The environment of a shell that has read a file of settings."""
    script = f"set -a; . /dev/stdin; exec {shutil.which('env')} --null"
    done = subprocess.run(
        ["/bin/sh", "-c", script], input=lines, env={}, capture_output=True, text=True, check=True
    )
    return dict(line.split("=", 1) for line in done.stdout.split("\0") if line)


def test_names_that_are_not_known_are_listed_without_their_values(tmp_path):
    found = translated(tmp_path, "FOO=hunter2\nBAR_TOKEN=hunter2\nFOO=hunter3\n")
    assert options(found) == []
    assert remarks(found) == ["not known here, so not translated: FOO, BAR_TOKEN"]


@pytest.mark.parametrize(
    ("line", "option"),
    [
        ("CORE_RPC_PORT=18443", "bitcoin.rpc.port = 18443;"),
        ("CORE_RPC_TIMEOUT=90000", 'mempool.settings.CORE_RPC_TIMEOUT = "90000";'),
        ("BACKEND_HTTP_PORT=9000", "mempool.backend.port = 9000;"),
        ("FRONTEND_HTTP_PORT=9001", "mempool.web.port = 9001;"),
        ("MEMPOOL_NETWORK=signet", 'network = "signet";'),
        ("MYSQL_USER=me", 'mempool.settings.DATABASE_USERNAME = "me";'),
        ("DATABASE_DATABASE=other", 'mempool.settings.DATABASE_DATABASE = "other";'),
        ("FASTAPI_PORT=8001", "api.port = 8001;"),
        ("MAX_PRICE_USD=900000.5", "settings.UTXORACLE_MAX_PRICE = 900000.5;"),
        ("ALERT_PRICE_MIN_DIVERGENCE=3.0", "settings.UTXORACLE_DIVERGENCE = 3.0;"),
        ("ALERT_WEBHOOK_TIMEOUT_SECONDS=7", "settings.UTXORACLE_ALERT_TIMEOUT = 7;"),
        (
            "MEMPOOL_API_URL=http://node.lan:8999/",
            'settings.UTXORACLE_SOURCE = "mempool+http://node.lan:8999";',
        ),
        (
            "MEMPOOL_API_URL=http://localhost:8080",
            'settings.UTXORACLE_SOURCE = "mempool+http://127.0.0.1:8080";',
        ),
        (
            r'MEMPOOL_USER_AGENT="a \"b\" \\ \n $$ {x} $${y}"',
            r'mempool.settings.MEMPOOL_USER_AGENT = "a \"b\" \\ \n $ {x} \${y}";',
        ),
    ],
)
def test_a_setting_becomes_an_option(tmp_path, line, option):
    found = translated(tmp_path, line)
    lines = [part.strip() for part in options(found)]
    assert "".join(lines) == option
    assert found.secrets == []


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("ALERT_WEBHOOK_TIMEOUT_SECONDS=0", "refuse that value for UTXORACLE_ALERT_TIMEOUT, see"),
        ("MAX_PRICE_USD=5", "MAX_PRICE_USD is not translated: utxoracle would refuse that value"),
        (
            "UTXORACLE_CONFIDENCE_THRESHOLD=2",
            "would refuse that value for UTXORACLE_MIN_CONFIDENCE",
        ),
        ("MEMPOOL_NETWORK=../../etc", "MEMPOOL_NETWORK is not translated: it isn't one of main"),
    ],
)
def test_what_would_break_every_command_is_left_out(tmp_path, line, why):
    found = translated(tmp_path, line)
    assert options(found) == []
    (remark,) = remarks(found)
    assert why in remark


def test_limits_that_fit_only_together_are_taken_together(tmp_path):
    found = translated(tmp_path, "MAX_PRICE_USD=5\nMIN_PRICE_USD=1")
    assert len([line for line in found.env.splitlines() if "_PRICE=" in line]) == 2


@pytest.mark.parametrize(
    "line",
    [
        "MEMPOOL_NETWORK=mainnet",
        "MYSQL_USER=mempool",
        "DATABASE_DATABASE=mempool",
        "MEMPOOL_API_URL=http://localhost:8999",
        "MEMPOOL_API_URL=http://127.0.0.1:8999/",
    ],
)
def test_what_is_so_anyway_is_left_out(tmp_path, line):
    found = translated(tmp_path, line)
    assert (options(found), remarks(found)) == ([], [])


def test_every_setting_of_ours_that_is_set_exists():
    ours = {str(variable_of(name)) for name in Settings.__dataclass_fields__}
    named = {
        rule.path[1] for rule in RULES.values() if getattr(rule, "path", "")[:1] == ("settings",)
    }
    assert named
    assert named <= ours
