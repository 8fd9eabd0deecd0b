"""What a bitcoind answers, and sources that ask a server for it."""

import pytest

from tests.unit.sources.asking import public_kind
from tests.unit.sources.scripted import Reply, as_json
from utxoracle.errors import SourceError
from utxoracle.settings import Settings
from utxoracle.sources.factory import open_source

QUICK = Settings(retries=0)
HASH = "ab" * 32
INFO = {"chain": "main", "blocks": 805, "headers": 900, "bestblockhash": HASH}
UNAUTHORISED = Reply(401, "text/html; charset=ISO-8859-1")


def failed(code: int, message: str, status: int = 500) -> Reply:
    return as_json({"result": None, "error": {"code": code, "message": message}, "id": 1}, status)


def succeeded(result: object) -> Reply:
    return as_json({"result": result, "error": None, "id": 1})


def open_node(server, settings: Settings | None = None, rest: str = ""):
    return open_source(f"bitcoind+{server.url}{rest}", settings or QUICK)


def message_of(ask, *arguments: object, kind: type[Exception] = SourceError) -> str:
    with pytest.raises(SourceError) as error:
        ask(*arguments)
    assert public_kind(error.value) is kind
    message = str(error.value)
    assert "\n" not in message
    assert "hunter2" not in message
    return message
