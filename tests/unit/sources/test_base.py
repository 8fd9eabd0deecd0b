"""The same chain through every source is the same chain."""

from datetime import UTC, datetime

import pytest

from tests.unit.sources.conftest import OPTIONS
from utxoracle.bitcoin.network import REGTEST
from utxoracle.bitcoin.scan import scan_block
from utxoracle.errors import BlockNotFound
from utxoracle.settings import Settings
from utxoracle.simulation.server import SimulationServer
from utxoracle.sources.days import BlockTimes, day_heights, last_day
from utxoracle.sources.factory import open_source

UNKNOWN = "ab" * 32


@pytest.fixture(scope="module")
def urls(chain, tmp_path_factory):
    folder = tmp_path_factory.mktemp("blocks")
    for height in (0, *range(chain.first_height, chain.tip_height + 1)):
        (folder / f"{height}.bin").write_bytes(chain.raw_block(height))
    with SimulationServer(chain) as server, SimulationServer(chain, rest=False) as node:
        yield {
            "files": f"files:{folder}",
            "sim": f"sim:{OPTIONS}",
            "mempool": f"mempool+{server.url}",
            "mempool front end": f"mempool+{server.url}/api",
            "mempool api": f"mempool+{server.url}/api/v1",
            "bitcoind rest": f"bitcoind+{server.url}",
            "bitcoind rpc": f"bitcoind+{node.url}",
        }


KINDS = [
    "files",
    "sim",
    "mempool",
    "mempool front end",
    "mempool api",
    "bitcoind rest",
    "bitcoind rpc",
]


@pytest.fixture(params=KINDS)
def source(request, urls):
    one = open_source(urls[request.param], Settings(connect_timeout=5, read_timeout=5))
    yield one
    one.close()


def test_tip_hashes_headers_and_bytes_are_the_same_through_every_source(source, chain):
    assert source.tip() == (chain.tip_height, chain.hash_at(chain.tip_height))
    assert source.tip_hash() == chain.hash_at(chain.tip_height)
    for height in (0, *range(chain.first_height, chain.tip_height + 1)):
        block_hash = source.hash_at(height)
        assert block_hash == chain.hash_at(height)
        assert source.header(block_hash) == chain.header(height)
        assert source.raw_block(block_hash) == chain.raw_block(height)


def test_only_servers_have_a_route_and_it_is_of_use_to_the_next_source(urls, chain):
    routes = {}
    for kind in KINDS:
        for _ in range(2):
            source = open_source(urls[kind], Settings())
            source.route = routes.get(kind)
            assert source.tip_hash() == chain.hash_at(chain.tip_height)
            routes[kind] = source.route
            source.close()
    assert list(routes.values()) == [None, None, "/api/v1", "/", "/", "rest", "rpc"]


def test_what_no_source_has_is_not_found_by_any_in_one_line(source, chain):
    for height in (1, chain.first_height - 1, chain.tip_height + 1, 9_999_999):
        with pytest.raises(BlockNotFound, match=str(height)) as caught:
            source.hash_at(height)
        assert "\n" not in str(caught.value)
    for ask in (source.header, source.raw_block):
        with pytest.raises(BlockNotFound, match=UNKNOWN) as caught:
            ask(UNKNOWN)
        assert "\n" not in str(caught.value)


def test_a_served_block_can_be_verified(source, chain):
    height, block_hash = source.tip()
    scan = scan_block(
        source.raw_block(block_hash), expected_hash=block_hash, height=height, network=REGTEST
    )
    assert scan.time == chain.time_at(height)


def test_every_source_gives_the_same_day(source, chain):
    times = BlockTimes(source)
    day = last_day(times)
    heights = day_heights(times, day)
    dates = [datetime.fromtimestamp(chain.time_at(one), UTC).date() for one in heights]
    assert len(dates) > 10
    assert set(dates) == {day}
