"""Requests that schemathesis makes up from openapi.json, good and bad ones, to the real server.

Outside of tests/unit, since it takes a minute: run it by `python -m pytest tests/api`.
"""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.filled import fill
from tests.unit.api.serving import served
from utxoracle.api.contract import DOCUMENT
from utxoracle.bitcoin.network import REGTEST
from utxoracle.store.database import create_database
from utxoracle.store.folder import DataFolder

TOKEN = "0123456789abcdef0123456789abcdef"

CHECKS = [
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "unsupported_method",
    "allow_header_conformance",
]

SECONDS = 300
MOST_REQUESTS = 25
"""Made up at random for an operation, beside the examples and the edges of every schema."""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    # Where schemathesis is started, it looks for a configuration and leaves what it has found.
    monkeypatch.chdir(tmp_path)
    return DataFolder(tmp_path / "data")


def check(server, *options, without=()):
    """Let schemathesis ask a server, always the same; return how many requests that were."""
    done = subprocess.run(
        [
            str(Path(sys.executable).with_name("schemathesis")),
            "run", str(DOCUMENT), "--url", server.url,
            "--checks", ",".join(check for check in CHECKS if check not in without),
            "--phases", "examples,coverage,fuzzing", "--mode", "all",
            "--max-examples", str(MOST_REQUESTS), "--generation-deterministic",
            "--continue-on-failure", "--no-color", *options,
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-1000:]
    assert "Traceback" not in server.stderr()
    found = re.search(r"^\s*([\d,]+) generated", done.stdout, re.MULTILINE)
    assert found, done.stdout
    return int(found[1].replace(",", ""))


def test_prices_are_answered_as_promised(folder):
    fill(folder)
    with served(folder) as server:
        assert check(server) > 1000


def test_so_it_is_while_nothing_is_stored(folder):
    create_database(folder, REGTEST)
    # An empty database is unhealthy, which is no fault of the server.
    with served(folder) as server:
        check(server, without=["not_a_server_error"])


def test_so_it_is_without_a_data_folder(folder):
    with served(folder) as server:
        check(server, without=["not_a_server_error"])


@pytest.mark.parametrize("given", [(), ("--header", f"Authorization: Bearer {TOKEN}")])
def test_so_it_is_where_a_token_is_wanted(folder, tmp_path, given):
    fill(folder)
    token = tmp_path / "token"
    token.write_text(TOKEN)
    env = {"UTXORACLE_API_TOKEN_FILE": str(token), "UTXORACLE_API_OPEN": "none"}
    with served(folder, env=env) as server:
        check(server, *given)
