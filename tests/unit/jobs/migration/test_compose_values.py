"""Values of old settings that are odd, secret or contradict each other."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.old_tree import write
from tests.unit.jobs.migration.translating import (
    BASE,
    FOLDER,
    SETUP_SCRIPT,
    options,
    remarks,
    secrets,
    translated,
)
from utxoracle.jobs.migration.compose import CHANGES, translate
from utxoracle.jobs.migration.kinds import Kind
from utxoracle.jobs.migration.layout import OWNERS
from utxoracle.jobs.migration.old_names import RULES, Nothing, Option, Password


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


def test_the_usual_owners_need_not_be_said(tmp_path):
    usual = {kind: uid for kind, (uid, _) in OWNERS.items()}
    assert options(translated(tmp_path, owners=usual)) == []


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (Kind.MYSQL, ["mempool.db.uid = 999;"]),
        (Kind.ELECTRS, ["mempool.electrs.uid = 999;"]),
        # There is no choice: the images are made for one user.
        (Kind.CACHE, []),
    ],
)
def test_other_owners_are_said(kind, said, tmp_path):
    assert options(translated(tmp_path, owners={kind: 999})) == said


@pytest.mark.parametrize(
    ("env", "said"),
    [
        ("", ['mempool.electrs.mode = "esplora";']),
        ("MEMPOOL_BACKEND=esplora\n", ['mempool.electrs.mode = "esplora";']),
        ("MEMPOOL_BACKEND=electrum\n", []),
        ("MEMPOOL_BACKEND=none\n", ["mempool.electrs.enable = false;"]),
    ],
)
def test_an_index_of_mempool_s_electrs_says_which_there_is_where_no_file_does(env, said, tmp_path):
    assert options(translated(tmp_path, env, is_mempool_index=True)) == said


@pytest.mark.parametrize(
    ("backend", "said"),
    [
        ("electrum", []),
        ("esplora", ['mempool.electrs.mode = "esplora";']),
        ("none", ["mempool.electrs.enable = false;"]),
    ],
)
def test_the_kind_of_back_end_says_which_electrs_there_is(backend, said, tmp_path):
    assert options(translated(tmp_path, f"MEMPOOL_BACKEND={backend}\n")) == said


def test_a_kind_of_back_end_that_there_is_none_of_is_told(tmp_path):
    found = translated(tmp_path, "MEMPOOL_BACKEND=other\n")
    assert options(found) == []
    assert "it isn't none, electrum or esplora" in "".join(found.remarks)


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
