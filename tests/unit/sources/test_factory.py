import subprocess
import sys

import pytest

from utxoracle.errors import SourceError, UsageError
from utxoracle.settings import Settings
from utxoracle.sources.bitcoind import BitcoindSource
from utxoracle.sources.factory import (
    has_password,
    open_exchange,
    open_source,
    open_sources,
    redact,
)
from utxoracle.sources.mempool import MempoolSource
from utxoracle.sources.mempool_exchange import MempoolExchange
from utxoracle.sources.sim_exchange import SimExchange

SECRET = "hunter2"


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("", "not a source"),
        ("http://127.0.0.1:8999", "not a source"),
        ("mempool://127.0.0.1:8999", "not a source"),
        ("bitcoind:8332", "not a source"),
        ("/some/folder", "not a source"),
        ("mempool+http://", "names no host"),
        ("mempool+http://host:port", "its port isn't a number"),
        ("mempool+http://host:99999", "its port isn't a number"),
        ("mempool+http://host:8999/?x=1", "nothing may follow its path"),
        ("mempool+http://host:8999/#x", "nothing may follow its path"),
        ("mempool+http://[::1:8999", "can't be a source"),
        ("bitcoind+http://host", "names no port; bitcoind's is 8332"),
        ("bitcoind+http://host:8332?coookie=/x", r"takes only \?cookie=FILE behind it"),
        ("bitcoind+http://host:8332?cookie=", r"takes only \?cookie=FILE behind it"),
        ("files:", "there is no folder ''"),
        ("files:/no/such/folder", "there is no folder '/no/such/folder'"),
        ("files:~nosuchuser/x", "~nosuchuser has no home folder"),
        ("bitcoind+http://host:8332?cookie=~nosuchuser/x", "~nosuchuser has no home folder"),
        ("sim:days=zero", "days must be a whole number"),
        ("sim:colour=red", "not a simulation option"),
    ],
)
def test_a_url_that_names_no_source_is_a_usage_error_of_one_line(url, reason):
    with pytest.raises(UsageError, match=reason) as caught:
        open_source(url, Settings())
    assert "\n" not in str(caught.value)


def test_an_unknown_scheme_is_answered_with_examples():
    with pytest.raises(UsageError, match=r"mempool\+http://127.0.0.1:8999 or bitcoind\+http"):
        open_source("electrs+http://127.0.0.1:3000", Settings())


def test_several_sources_stand_in_the_order_of_preference(tmp_path):
    (tmp_path / "5.bin").write_bytes(bytes(81))
    urls = (
        f" mempool+http://h:8999  bitcoind+http://h:8332?cookie=/a b\nfiles:{tmp_path} sim:days=1"
    )
    sources = open_sources(Settings(source=urls))
    names = [one.name for one in sources.states]
    assert names == ["mempool h:8999", "bitcoind h:8332", f"files {tmp_path}", "sim days=1"]
    sources.close()


def test_one_source_of_several_that_can_not_be_is_a_usage_error():
    with pytest.raises(UsageError, match="http://b' is not a source"):
        open_sources(Settings(source="http://b sim:"))
    with pytest.raises(UsageError, match=r"^mempool h:1 is named twice"):
        open_sources(Settings(source="mempool+http://h:1 sim: mempool+http://u:p@h:1/"))
    with pytest.raises(UsageError, match="several are written with spaces between, each with"):
        open_sources(Settings(source="mempool+http://h:1,mempool+http://h:2"))


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        (f"electrs+http://u:{SECRET}@h:3000", "it isn't an electrs' address"),
        (f"http://u:{SECRET}@h:port", "its port isn't a number"),
        ("http://", "it names no host"),
    ],
)
def test_an_electrs_that_can_not_be_is_a_usage_error(url, reason):
    settings = Settings(electrs_url=url)
    with pytest.raises(UsageError, match="UTXORACLE_ELECTRS_URL can't be") as caught:
        open_source("mempool+http://h:8999", settings)
    assert reason in str(caught.value)
    assert SECRET not in str(caught.value)


def test_each_url_gives_its_source_with_a_name_that_holds_no_password():
    settings = Settings()
    node = open_source(f"bitcoind+http://user:{SECRET}@[::1]:8332", settings)
    back_end = open_source(f" mempool+https://user:{SECRET}@example.org/path/ ", settings)
    assert isinstance(node, BitcoindSource)
    assert isinstance(back_end, MempoolSource)
    assert node.name == "bitcoind [::1]:8332"
    assert back_end.name == "mempool example.org"
    assert open_source("sim:seed=2,days=1", settings).name == "sim seed=2,days=1"


@pytest.mark.parametrize(
    "url",
    [
        f"electrs+http://user:{SECRET}@host:1",
        f"mempool+http://user:{SECRET}@host:port",
        f"mempool+http://user:{SECRET}@:8999",
        f"mempool+http://user:{SECRET}@ho\u2100st:8999",
        f"mempool+http://user:{SECRET}/@host:8999",
        f"bitcoind+http://user:{SECRET}@host:8332?password={SECRET}",
        f"bitcoind+http://user:{SECRET}@host",
        f"sim: bitcoind+http://user:{SECRET}@host:port",
        f"bitcoind+http://user:pass {SECRET}@host",
        f"bitcoind+http:user:{SECRET}@host:8332",
    ],
)
def test_no_error_shows_a_password(url):
    with pytest.raises(UsageError) as caught:
        open_sources(Settings(source=url))
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "shown", "secret"),
    [
        ("mempool+http://host:8999/api", "mempool+http://host:8999/api", False),
        ("mempool+http://user@host:8999", "mempool+http://host:8999", False),
        ("bitcoind+http://u:p@host:8332", "bitcoind+http://host:8332", True),
        ("bitcoind+http://u:p@ss/w@host:8332", "bitcoind+http://host:8332", True),
        (
            "bitcoind+http://host:8332?cookie=/a@b/c",
            "bitcoind+http://host:8332?cookie=/a@b/c",
            False,
        ),
        (
            "mempool+http://h:1 bitcoind+http://u:p@h:2",
            "mempool+http://h:1 bitcoind+http://h:2",
            True,
        ),
        ("files:/home/me@work/a:b", "files:/home/me@work/a:b", False),
        ("sim:seed=1", "sim:seed=1", False),
    ],
)
def test_redact_drops_user_and_password_and_nothing_else(url, shown, secret):
    assert redact(url) == shown
    assert has_password(url) is secret


@pytest.mark.parametrize(
    ("setting", "url", "kind", "name"),
    [
        (None, "mempool+http://h:8999/api", MempoolExchange, "mempool h:8999"),
        (None, f" mempool+https://u:{SECRET}@h ", MempoolExchange, "mempool h"),
        (None, "sim:seed=2,days=1", SimExchange, "sim seed=2,days=1"),
        ("", "sim:", SimExchange, "sim"),
        (None, "bitcoind+http://h:1 mempool+http://h:2 sim:", MempoolExchange, "mempool h:2"),
        ("http://h:1", "sim:", MempoolExchange, "mempool h:1"),
        ("https://h", None, MempoolExchange, "mempool h"),
        ("mempool+http://h:1/api", "mempool+http://other", MempoolExchange, "mempool h:1"),
        (f"mempool+https://u:{SECRET}@h:1", "files:/x", MempoolExchange, "mempool h:1"),
    ],
)
def test_exchange_prices_are_of_the_server_that_is_set_or_of_the_source(setting, url, kind, name):
    exchange = open_exchange(Settings(source=url, exchange_url=setting))
    assert isinstance(exchange, kind)
    assert exchange.name == name
    exchange.close()


@pytest.mark.parametrize(
    ("setting", "url"),
    [
        ("none", "mempool+http://h:8999"),
        ("none", "sim:"),
        ("none", None),
        (None, None),
        (None, ""),
        (None, "files:/x"),
        (None, "bitcoind+http://h:8332"),
    ],
)
def test_nobody_is_asked_for_exchange_prices_where_none_is_named(setting, url):
    assert open_exchange(Settings(source=url, exchange_url=setting)) is None


@pytest.mark.parametrize(
    ("setting", "reason"),
    [
        (f"bitcoind+http://u:{SECRET}@h:8332", "it isn't a mempool back end's address"),
        ("sim:", "it isn't a mempool back end's address"),
        ("None", "it isn't a mempool back end's address"),
        (f"u:{SECRET}@h:8999", "it isn't a mempool back end's address"),
        (f"mempool+http://u:{SECRET}@:8999", "it names no host"),
        (f"http://u:{SECRET}@h:port", "its port isn't a number"),
        (f"http://u:{SECRET}@h/?x=1", "nothing may follow its path"),
        (f"http://u:{SECRET}@[::1", "its host is no host name or number"),
        (f"http://u:{SECRET}@a http://u:{SECRET}@b", "only one can be asked"),
    ],
)
def test_a_setting_that_names_no_exchange_is_a_usage_error_of_one_line(setting, reason):
    with pytest.raises(UsageError) as caught:
        open_exchange(Settings(source="sim:", exchange_url=setting))
    message = str(caught.value)
    assert message.startswith("UTXORACLE_EXCHANGE_URL can't be '")
    assert f": {reason}" in message
    assert message.endswith("; write it as in http://127.0.0.1:8999, or none to ask nobody")
    assert SECRET not in message
    assert "\n" not in message


def test_a_source_that_can_not_be_has_no_exchange_prices_either():
    with pytest.raises(UsageError, match="its port isn't a number"):
        open_exchange(Settings(source="mempool+http://h:port"))
    with pytest.raises(UsageError, match="days must be"):
        open_exchange(Settings(source="sim:days=zero"))


def test_a_user_without_a_password_file_is_a_usage_error():
    with pytest.raises(UsageError, match="UTXORACLE_RPC_USER is set but UTXORACLE_RPC_PASSWORD"):
        open_source("bitcoind+http://host:8332", Settings(rpc_user="u"))


def test_a_password_file_without_a_user_is_a_usage_error(tmp_path):
    with pytest.raises(UsageError, match=r"_PASSWORD_FILE is set but UTXORACLE_RPC_USER is not"):
        open_source("bitcoind+http://host:8332", Settings(rpc_password_file=tmp_path / "x"))


def test_a_password_file_that_is_missing_is_a_usage_error(tmp_path):
    settings = Settings(rpc_user="u", rpc_password_file=tmp_path / "none")
    with pytest.raises(UsageError, match=r"none \(UTXORACLE_RPC_PASSWORD_FILE\) can't be read"):
        open_source("bitcoind+http://host:8332", settings)


def test_a_tilde_is_the_home_folder(tmp_path, monkeypatch, server):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "5.bin").write_bytes(bytes(81))
    assert open_source("files:~/x", Settings()).tip()[0] == 5
    source = open_source(f"bitcoind+{server.url}?cookie=~/none", Settings())
    with pytest.raises(SourceError, match=f"the cookie {tmp_path}/none of"):
        source.tip()
    source.close()


@pytest.mark.parametrize("url", ["mempool+http://h:8999", "bitcoind+http://h:8332"])
def test_servers_need_neither_numpy_nor_duckdb_nor_the_simulation(url):
    program = (
        "import sys; from utxoracle.sources.factory import open_exchange, open_source; "
        "from utxoracle.settings import Settings; "
        f"open_source('{url}', Settings()); open_exchange(Settings(source='{url}')); "
        "assert not {'numpy', 'duckdb', 'utxoracle.simulation.chain'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_files_need_neither_requests_nor_the_simulation(tmp_path):
    (tmp_path / "5.bin").write_bytes(bytes(81))
    program = (
        "import sys; from utxoracle.sources.factory import open_source; "
        "from utxoracle.settings import Settings; "
        f"open_source('files:{tmp_path}', Settings()); "
        "assert not {'requests', 'numpy', 'utxoracle.simulation.chain'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
