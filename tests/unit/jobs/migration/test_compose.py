import shutil
import subprocess
from pathlib import Path

import pytest

from tests.old_tree import COMPOSE, COMPOSE_ENV_FILE, ENV_FILE, SECRETS, write
from utxoracle.jobs.migration.compose import CHANGES, translate
from utxoracle.jobs.migration.old_names import RULES, Nothing, Option, Password, rule_of
from utxoracle.settings import Settings, variable_of

BASE = Path("/mnt/nvme/prod/apps")
USAGE = (Path(__file__).resolve().parents[4] / "docs" / "usage.md").read_text()
FOLDER = f"{BASE}/mempool/config/secrets"

SETUP_SCRIPT = """\
services:
  electrs:
    image: mempool/electrs:latest
    network_mode: host
    command:
      - --cookie
      - "bitcoinrpc:hunter2hunter2"
  db:
    image: mariadb:10.5.21
    environment:
      MYSQL_DATABASE: mempool
      MYSQL_USER: mempool
      MYSQL_PASSWORD: db-hunter2
      MYSQL_ROOT_PASSWORD: root-hunter2
  api:
    image: mempool/backend:latest
    environment:
      MEMPOOL_BACKEND: "esplora"
      CORE_RPC_HOST: "host.docker.internal"
      CORE_RPC_PORT: "8332"
      CORE_RPC_USERNAME: "bitcoinrpc"
      CORE_RPC_PASSWORD: "$$(openssl rand -hex 32)"  # literally
      ESPLORA_REST_API_URL: "http://192.168.1.111:3001"
      DATABASE_HOST: "db"
      DATABASE_DATABASE: "mempool"
      DATABASE_USERNAME: "mempool"
      DATABASE_PASSWORD: "db-hunter2"
      STATISTICS_ENABLED: "true"
      MEMPOOL_API_URL_PREFIX: "/api/v1/"
      MEMPOOL_HTTP_PORT: "8999"
      MEMPOOL_PRICE_UPDATE_INTERVAL: "600"
  web:
    image: mempool/frontend:latest
    ports:
      - "8081:8080"
    environment:
      FRONTEND_HTTP_PORT: "8080"
      BACKEND_MAINNET_HTTP_HOST: "api"
    command: "./wait-for db:3306 --timeout=720 -- nginx -g 'daemon off;'"
"""


def translated(folder, env="", compose="", **others):
    files = [write(folder / "stack" / ".env", env)]
    if compose:
        files.append(write(folder / "stack" / "docker-compose.yml", compose))
    return translate(files, base=BASE, **others)


def options(translation):
    """The lines of the options, without those that are always there."""
    first, *lines, last = translation.nix.splitlines()
    assert (first, last) == ("services.utxoracle = {", "};")
    for always in ("  enable = true;", f'  storage.base = "{BASE}";'):
        lines.remove(always)
    return [line.removeprefix("  ") for line in lines]


def remarks(translation):
    """What is told of the settings, without where they stood."""
    assert tuple(translation.remarks[-len(CHANGES) :]) == CHANGES
    found = translation.remarks[: -len(CHANGES)]
    assert not [one for one in found if "\n" in one]
    return [one.partition(": ")[2] if " line " in one.split(":")[0] else one for one in found]


def secrets(translation):
    return {one.name: one.data.decode() for one in translation.secrets}


def test_the_old_settings_of_stack_and_price_job_are_translated(tmp_path):
    files = [
        write(tmp_path / "mempool-stack" / ".env", COMPOSE_ENV_FILE),
        write(tmp_path / "mempool-stack" / "docker-compose.yml", COMPOSE),
        write(tmp_path / "UTXOracle" / ".env", ENV_FILE),
    ]
    found = translate(files, base=BASE, db_uid=1000)
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
      uid = 1000;
    }};
    settings.MEMPOOL_BACKEND = "esplora";
  }};
  api.port = 8000;
  settings = {{
    UTXORACLE_MIN_CONFIDENCE = 0.4;
    UTXORACLE_MIN_PRICE = 20000;
    UTXORACLE_ALERT_URL_FILE = "{FOLDER}/alert-url";
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
  settings = {{
    MEMPOOL_BACKEND = "esplora";
    STATISTICS_ENABLED = "true";
  }};
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
        f"UTXORACLE_ALERT_URL_FILE={FOLDER}/alert-url\n"
    )
    assert Settings.from_environment(read_by_a_shell(found.env)).api_port == 8001


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
    script = "set -a; . /dev/stdin; exec env --null"
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


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("CORE_RPC_PORT=http", "it isn't a port"),
        ("CORE_RPC_PORT=70000", "it isn't a port"),
        ("CORE_RPC_PORT=0", "it isn't a port"),
        ("CORE_RPC_PORT=", "it is empty"),
        ("MIN_PRICE_USD=nan", "it isn't a number"),
        ("MIN_PRICE_USD=1e5", "it isn't a number"),
        ("MIN_PRICE_USD=-1", "it isn't a number"),
        ("MEMPOOL_API_URL=hunter2", "it isn't a URL"),
        ("MEMPOOL_API_URL=http://me:hunter2@node:8999", "a password may stand in its URL"),
        ("CORE_RPC_HOST=me:hunter2@node", "a password may stand in its URL"),
        ("CORE_RPC_HOST=//me:hunter2/@node", "a password may stand in its URL"),
        ("MEMPOOL_POOLS_JSON_URL=https://x/y?token=hunter2", "a password may stand in its URL"),
    ],
)
def test_a_value_that_can_not_be_taken_is_told_and_not_shown(tmp_path, line, why):
    found = translated(tmp_path, line)
    assert options(found) == []
    (remark,) = remarks(found)
    assert remark.startswith(f"{line.partition('=')[0]} is not translated: {why}")
    assert "hunter2" not in remark


@pytest.mark.parametrize("character", [*'&!"\\', "\n"])
@pytest.mark.parametrize(
    ("name", "cure"),
    [
        ("CORE_RPC_PASSWORD", "change it in bitcoin.conf"),
        ("DATABASE_PASSWORD", "change it with ALTER USER"),
    ],
)
def test_a_password_that_breaks_the_start_script_is_pointed_out(tmp_path, name, cure, character):
    password = f"hunter2{character}x"
    quoted = password.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    found = translated(tmp_path, f'{name}="{quoted}"')
    (remark,) = remarks(found)
    assert f"{name} has a character that breaks the back end's start script" in remark
    assert f"{cure} to one of letters, digits, - and _, and write it to {FOLDER}/" in remark
    assert "hunter2" not in remark + found.nix
    assert [*secrets(found).values()] == [password]


def test_a_password_that_does_not_pass_through_the_script_may_hold_anything(tmp_path):
    found = translated(tmp_path, "MYSQL_ROOT_PASSWORD='&!\\'")
    assert remarks(found) == []
    assert secrets(found) == {"db-root-password": "&!\\"}


@pytest.mark.parametrize("name", ["CORE_RPC_PASSWORD", "MYSQL_PASSWORD", "ALERT_WEBHOOK_URL"])
def test_an_empty_password_is_told_and_makes_no_file(tmp_path, name):
    found = translated(tmp_path, f"{name}=")
    assert (options(found), found.secrets) == ([], [])
    (remark,) = remarks(found)
    assert remark.startswith(f"{name} is empty")


def test_the_back_end_s_password_of_the_database_counts_and_a_contradiction_is_told(tmp_path):
    found = translated(tmp_path, "DATABASE_PASSWORD=right-hunter2\nMYSQL_PASSWORD=old-hunter2")
    assert secrets(found) == {"db-password": "right-hunter2"}
    assert found.remarks[0] == (
        "stack/.env line 2 and stack/.env line 1 contradict each other: the second counts, for "
        "mempool.db.passwordFile"
    )


def test_a_compose_file_outranks_the_env_file_beside_it(tmp_path):
    compose = "services:\n  api:\n    environment:\n      CORE_RPC_USERNAME: second\n"
    found = translated(tmp_path, "CORE_RPC_USERNAME=first", compose)
    assert options(found) == ['bitcoin.rpc.user = "second";']
    assert found.remarks[0].startswith("stack/.env line 1 and stack/docker-compose.yml line 4")


def test_the_network_of_containers_is_not_the_machine_s(tmp_path):
    for host, option in {
        "host.docker.internal": ['bitcoin.rpc.host = "127.0.0.1";'],
        "172.17.0.1": ['bitcoin.rpc.host = "127.0.0.1";'],
        "127.0.0.1": ['bitcoin.rpc.host = "127.0.0.1";'],
        "bitcoind": [],
        "192.168.1.5": ['bitcoin.rpc.host = "192.168.1.5";'],
    }.items():
        found = translated(tmp_path, f"CORE_RPC_HOST={host}")
        assert options(found) == option
        told = "".join(remarks(found))
        assert ("is the name of a container" in told) == (host == "bitcoind")
        assert ("may be this machine's own address" in told) == (host == "192.168.1.5")


def test_the_port_on_the_machine_counts_not_that_in_the_container(tmp_path):
    compose = """\
services:
  web:
    environment:
      FRONTEND_HTTP_PORT: 8080
    ports:
      - "127.0.0.1:80:8080"
"""
    found = translated(tmp_path, compose=compose)
    assert (options(found), remarks(found)) == (["mempool.web.port = 80;"], [])


def test_a_cookie_is_taken_only_where_there_is_no_password(tmp_path):
    cookie = "CORE_RPC_COOKIE_PATH=/node/.cookie\n"
    assert options(translated(tmp_path, cookie)) == ['bitcoin.rpc.cookieFile = "/node/.cookie";']
    found = translated(tmp_path, f"{cookie}CORE_RPC_PASSWORD=hunter2")
    assert options(found) == [f'bitcoin.rpc.passwordFile = "{FOLDER}/bitcoin-rpc-password";']
    assert [one for one in remarks(found) if "there can be one of the two" in one]


def test_paths_of_databases_are_told_from_where_their_file_is(tmp_path):
    found = translated(tmp_path, "DUCKDB_PATH=./data/x.duckdb\nUTXORACLE_DB_PATH=/a/b.db\n")
    assert found.databases == [tmp_path / "stack" / "data/x.duckdb", Path("/a/b.db")]


def test_the_usual_owner_of_the_database_need_not_be_said(tmp_path):
    assert options(translated(tmp_path, db_uid=999)) == []
    assert options(translated(tmp_path, db_uid=1000)) == ["mempool.db.uid = 1000;"]


def test_without_files_there_is_still_a_beginning():
    found = translate([], base=BASE)
    assert options(found) == []
    assert (tuple(found.remarks), found.secrets) == (CHANGES, [])


def test_nix_reads_what_is_to_be_pasted(tmp_path):
    if not shutil.which("nix-instantiate"):
        pytest.skip("nix-instantiate is not there")
    env = "CORE_RPC_USERNAME='${x} \\ \"'\nMEMPOOL_BACKEND=none\nCORE_RPC_PASSWORD=x\n"
    found = translated(tmp_path, env, SETUP_SCRIPT)
    module = write(tmp_path / "host.nix", f"{{\n{found.nix}}}\n")
    subprocess.run(["nix-instantiate", "--parse", module], check=True, capture_output=True)


def test_no_rule_is_of_a_kind_that_nobody_handles():
    assert {type(rule) for rule in RULES.values()} == {Nothing, Option, Password}
