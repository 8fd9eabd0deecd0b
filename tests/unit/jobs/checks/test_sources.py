import socket
from dataclasses import replace

import pytest

from tests.unit.store.samples import block_row
from utxoracle.errors import SourceError, SourceSyncing, UtxoracleError, WrongNetwork
from utxoracle.jobs.checks import sources
from utxoracle.jobs.checks.sources import SourceTip, ask_tip, exchange
from utxoracle.jobs.health import CheckStatus
from utxoracle.settings import Settings
from utxoracle.simulation.chain import SimulatedChain
from utxoracle.simulation.options import SimulationOptions
from utxoracle.simulation.server import SimulationServer

REGTEST = Settings(network="regtest")
TOP = block_row(300)
NOW = TOP.time + 240.0
TIP = SourceTip(height=300, time=TOP.time, route="/api/v1")


@pytest.fixture(scope="module")
def chain():
    return SimulatedChain(SimulationOptions.parse("days=1,transactions=30"))


@pytest.fixture
def server(chain):
    with SimulationServer(chain) as server:
        yield server


@pytest.fixture
def nobody():
    """An address that nothing listens at."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    return f"http://127.0.0.1:{port}"


@pytest.fixture
def silent(monkeypatch):
    """A server that takes connections and answers nothing; it is waited for briefly."""
    monkeypatch.setattr(sources, "_ANSWER", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


@pytest.mark.parametrize(("kind", "route"), [("mempool", "/api/v1"), ("bitcoind", "rest")])
def test_a_source_tells_its_tip_and_how_it_is_asked(chain, server, kind, route):
    height = chain.tip_height
    tip = ask_tip(f"{kind}+{server.url}", REGTEST)
    assert tip == SourceTip(height, chain.time_at(height), route)


def test_each_way_to_fail_is_a_failure_in_one_line(server, nobody, silent):
    with pytest.raises(SourceError, match="refused the connection"):
        ask_tip(f"mempool+{nobody}", REGTEST)
    with pytest.raises(SourceError, match=r"sent nothing for 0\.2 s"):
        ask_tip(f"mempool+{silent}", REGTEST)
    with pytest.raises(WrongNetwork):
        ask_tip(f"mempool+{server.url}", Settings())
    with pytest.raises(UtxoracleError, match="is not a source"):
        ask_tip("oracle", REGTEST)


def judge(*found, top=TOP):
    checks = sources.sources(found, top, NOW)
    assert not any("\n" in check.detail for check in checks)
    return [(check.status, check.detail) for check in checks]


def test_a_source_that_answers_is_well():
    (found,) = judge(TIP)
    assert found == (CheckStatus.OK, "at block 300, 4 min old, asked by /api/v1")
    (found,) = judge(replace(TIP, route=None, height=298), top=None)
    assert found == (CheckStatus.OK, "at block 298, 4 min old")


def test_a_source_that_fails_is_a_failure_only_without_another():
    down = SourceSyncing("the node is syncing: wait")
    assert judge(down, down) == [(CheckStatus.ERROR, "the node is syncing: wait")] * 2
    assert [status for status, _ in judge(down, TIP)] == [CheckStatus.WARNING, CheckStatus.OK]


def test_a_source_that_hangs_or_breaks_is_one_that_fails():
    assert judge(TimeoutError())[0][1].startswith("it takes too long to answer: see its log")
    assert judge(ValueError("S3CRET"))[0] == (
        CheckStatus.ERROR,
        "it can't be asked (ValueError)",
    )


def test_a_source_below_what_is_stored_deserves_a_look():
    assert judge(replace(TIP, height=298))[0][0] == CheckStatus.OK
    ((status, detail),) = judge(replace(TIP, height=297))
    assert status == CheckStatus.WARNING
    assert "3 blocks below what is stored; has it stopped?" in detail


def ask_exchange(now, **settings):
    told = exchange(Settings(**settings), now)
    assert "\n" not in told.detail
    return told.status, told.detail


def test_a_fresh_exchange_price_is_well(chain, server):
    now = chain.time_at(chain.tip_height)
    status, detail = ask_exchange(now, exchange_url=server.url)
    assert status == CheckStatus.OK
    assert detail.startswith("mempool 127.0.0.1:")
    assert " tells $" in detail


def test_an_old_exchange_price_deserves_a_look(chain, server):
    now = chain.time_at(chain.tip_height) + 4 * 3600
    status, detail = ask_exchange(now, exchange_url=server.url)
    assert status == CheckStatus.WARNING
    assert " h old; see that its price feed works, or set UTXORACLE_EXCHANGE_URL" in detail


def test_no_exchange_price_deserves_a_look(nobody, silent, server):
    for url in (nobody, silent):
        status, detail = ask_exchange(NOW, exchange_url=url)
        assert status == CheckStatus.WARNING
        assert detail.startswith("no exchange price from mempool 127.0.0.1:")
    # From before the first price.
    assert ask_exchange(1e9, exchange_url=server.url)[0] == CheckStatus.WARNING


def test_that_nobody_is_asked_is_well_only_where_it_is_set():
    assert ask_exchange(NOW, exchange_url="none")[0] == CheckStatus.OK
    status, detail = ask_exchange(NOW, source="bitcoind+http://127.0.0.1:8332")
    assert status == CheckStatus.UNKNOWN
    assert "set UTXORACLE_EXCHANGE_URL" in detail
