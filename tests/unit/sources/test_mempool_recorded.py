"""Blocks from what real back ends and front ends answered, one answer at a time."""

import json
import re

import pytest

from tests.unit.sources.recordings import assert_fails, needs_recordings, recording
from tests.unit.sources.scripted import Reply, as_json, text
from utxoracle.bitcoin.header import parse_header
from utxoracle.errors import BlockNotFound, ChainReorganised, SourceError
from utxoracle.settings import Settings
from utxoracle.sources.factory import open_source

pytestmark = needs_recordings

NODE_IS_DOWN = (SourceError, "is up but can't reach its node (500 Failed to get hash at tip)")
ESPLORA = (SourceError, "leaves blocks to electrs (BACKEND=esplora): set UTXORACLE_ELECTRS_URL")
NOT_MEMPOOL = (SourceError, "is not a mempool server: nothing at /api/v1, /api or / serves blocks")
PAGES_ONLY = (SourceError, "answers with web pages only, also below /api")
BAD_HASH = (SourceError, "with 400 Invalid block hash: is this the right address?")
NO_HEADER = (BlockNotFound, "(500 Failed to get block header); its node may have pruned it")
NO_RAW_BLOCK = (BlockNotFound, "(500 Failed to get raw block); its node may have pruned it")
NO_BLOCK = (SourceError, "with 500 Failed to get block: try again later")
STALE = (ChainReorganised, "newest blocks one after the other that it did not have at their height")

TIP_HASHES = {
    "none-tip-hash": "48b96a62",
    "electrum-tip-hash": "48b96a62",
    "fe8080-api-tip-hash": "48b96a62",
    "empty-chain-blocks_tip_hash": "0f9188f1",
    "esplora-noelectrs-tip-hash": ESPLORA,
    "coredown-tip-hash": NODE_IS_DOWN,
    "coredown-fe8080-tip-hash": NODE_IS_DOWN,
    "coreback-tip-hash": "306d1053",
    "frozen-tip-hash": NODE_IS_DOWN,
    "frozen-fe8080-tip-hash": NODE_IS_DOWN,
    "thawed-tip-hash": "306d1053",
    "dbdown-tip-hash": "306d1053",
    "dbdown-newblock-tip-hash": "123c0221",
    "reorg1-invalidated-tip-hash": "0b4746f2",
    "reorg2-sameheight-tip-hash": "05d709c3",
    "reorg3-longer-tip-hash": "30479baf",
    "reorg4-validfork-tip-hash": "73cb8054",
    "reorg5-settled-tip-hash": "73cb8054",
}
HASHES_AT = {
    "none-block-height": "363a6ff0",
    "none-block-height-beyond-tip": (BlockNotFound, "has no block 9999999; its newest is 116"),
    "none-block-height-negative": (BlockNotFound, "has no block -1; its newest is 116"),
    "electrum-block-height": "363a6ff0",
    "electrum-block-height-beyond-tip": (BlockNotFound, "has no block 9999999; its newest is 116"),
    "electrum-block-height-negative": (BlockNotFound, "has no block -1; its newest is 116"),
    "fe8080-api-block-height": "363a6ff0",
    "empty-chain-block-height_0": "0f9188f1",
    "esplora-noelectrs-block-height": ESPLORA,
    "coredown-block-height": NODE_IS_DOWN,
    "dbdown-block-height": "363a6ff0",
    "reorg1-invalidated-block-height-117": (
        BlockNotFound,
        "has no block 117; its newest is 116",
    ),
    "reorg2-sameheight-block-height-117": "05d709c3",
    "reorg3-longer-block-height-117": "05d709c3",
    "reorg4-validfork-block-height-117": "05d709c3",
}
HEADERS = {
    "none-block-header": 80,
    "none-block-header-unknown": NO_HEADER,
    "electrum-block-header": 80,
    "electrum-block-header-unknown": NO_HEADER,
    "esplora-noelectrs-block-header": ESPLORA,
    "coredown-block-header": NODE_IS_DOWN,
    "reorg1-invalidated-block-old117-header": 80,
    "reorg2-sameheight-block-old117-header": 80,
    "reorg3-longer-block-old117-header": 80,
    "reorg4-validfork-block-old117-header": 80,
}
RAW_BLOCKS = {
    "be-range": 1_424_093,
    "err-texthtml": (SourceError, "with 400 Invalid block hash: is this the right address?"),
    "none-block-raw": 1_424_093,
    "none-block-raw-again": 1_424_093,
    "none-block-raw-badhash": BAD_HASH,
    "none-block-raw-unknown": NO_RAW_BLOCK,
    "none-big2-raw": 1_609_726,
    "electrum-block-raw": 1_424_093,
    "electrum-block-raw-again": 1_424_093,
    "electrum-block-raw-badhash": BAD_HASH,
    "electrum-block-raw-unknown": NO_RAW_BLOCK,
    "fe8080-api-block-raw": 1_424_093,
    "fe8080-api-block-raw-gzip": 1_424_093,
    "fe8080-apiv1-block-raw": 1_424_093,
    "esplora-noelectrs-block-raw": ESPLORA,
    "coredown-block-raw": NODE_IS_DOWN,
    "dbdown-block-raw": 1_424_093,
    "reorg1-invalidated-block-old117-raw": 252,
    "reorg2-sameheight-block-old117-raw": 252,
    "reorg3-longer-block-old117-raw": 252,
    "reorg4-validfork-block-old117-raw": 252,
}
TIPS = {
    "none-block": 114,
    "none-block-badhash": BAD_HASH,
    "none-block-unknown": NO_BLOCK,
    "none-block-height10-from-db": 10,
    "electrum-block": 114,
    "electrum-block-badhash": BAD_HASH,
    "electrum-block-unknown": NO_BLOCK,
    "fe8080-api-block": 114,
    "esplora-noelectrs-block": ESPLORA,
    "coredown-block-db": NODE_IS_DOWN,
    "coredown-block-mem": NODE_IS_DOWN,
    "dbdown-block-db": NO_BLOCK,
    "dbdown-block-mem": 114,
    "reorg1-invalidated-block-old117": STALE,
    "reorg2-sameheight-block-old117": STALE,
    "reorg3-longer-block-old117": STALE,
    "reorg4-validfork-block-old117": STALE,
    "reorg5-settled-block-old117": STALE,
}
ALL_THERE_IS = {
    "none-backend-info": (SourceError, "is a mempool back end (BACKEND=none) without its routes"),
    "electrum-backend-info": (SourceError, "is a mempool back end (BACKEND=electrum) without"),
    "esplora-noelectrs-backend-info": ESPLORA,
    "empty-chain-backend-info": (SourceError, "is a mempool back end (BACKEND=none) without"),
    "startnocore-backend-info": (SourceError, "is a mempool back end (BACKEND=none) without"),
    "coredown-backend-info": (SourceError, "is a mempool back end (BACKEND=none) without"),
    "dbdown-backend-info": (SourceError, "is a mempool back end (BACKEND=none) without"),
    "fe8080-apiv1-backend-info": (SourceError, "is a mempool back end (BACKEND=none) without"),
}
ANSWERED_TO_EVERYTHING = {
    "be8999-root": NOT_MEMPOOL,
    "be8999-noprefix": NOT_MEMPOOL,
    "be8999-api-noV1": NOT_MEMPOOL,
    "none-nosuchroute": NOT_MEMPOOL,
    "none-health": NOT_MEMPOOL,
    "electrum-nosuchroute": NOT_MEMPOOL,
    "electrum-health": NOT_MEMPOOL,
    "core-rest-nosuch": NOT_MEMPOOL,
    "fe8080-root": PAGES_ONLY,
    "fe8080-api-slash": PAGES_ONLY,
    "fe8080-v1-noapi": PAGES_ONLY,
    "fe8080-apiv1-services": (SourceError, "a proxy that can't reach its back end (502)"),
}
CASES = {
    **TIP_HASHES,
    **HASHES_AT,
    **HEADERS,
    **RAW_BLOCKS,
    **TIPS,
    **ALL_THERE_IS,
    **ANSWERED_TO_EVERYTHING,
}

TIP_116 = "0b4746f24f35fe371a2cb1dc5b01c8c7d9de32ff43a24562f906b4b385649ac9"
"""The newest block while the one above it was invalid."""

STANDS_FOR_NO_HASH = "ab" * 32


@pytest.fixture
def play(server):
    """Serves a recorded answer where it was recorded, in a back end as it was then."""
    opened = []

    def serve(name: str):
        """Return a source, and what stands behind the route in the recording's path."""
        real = recording(name)
        base, what = re.match(r"(/api(?:/v1)?)/(?:block(?:-height)?/)?([^/]+)", real.path).groups()
        serve_tip(server.replies, base, name)
        server.replies[real.path] = real.reply
        source = open_source(f"mempool+{server.url}", Settings(retries=0))
        source.route = base
        opened.append(source)
        return source, what

    yield serve
    for source in opened:
        source.close()


def serve_tip(replies: dict[str, Reply], base: str, name: str) -> None:
    """Let `replies` tell the newest block as the back end of a recording did."""
    replies[f"{base}/blocks/tip/hash"] = text(TIP_116)
    replies[f"{base}/block/{TIP_116}"] = as_json({"id": TIP_116, "height": 116})
    replies[f"{base}/block-height/116"] = text(TIP_116, content_type="text/html; charset=utf-8")
    if name.startswith("coredown"):
        replies[f"{base}/blocks/tip/hash"] = recording("coredown-tip-hash").reply
    if name.startswith("esplora"):
        replies[f"{base}/blocks/tip/hash"] = recording("esplora-noelectrs-tip-hash").reply
        replies[f"{base}/backend-info"] = recording("esplora-noelectrs-backend-info").reply


def assert_gives(ask, wanted) -> None:
    """Check a value by `wanted` (the beginning of a hash, or all), or the error that it is."""
    if not isinstance(wanted, tuple):
        found = ask()
        assert found.startswith(wanted) if isinstance(wanted, str) else found == wanted
        return
    assert_fails(ask, *wanted)


@pytest.mark.parametrize("name", TIP_HASHES)
def test_the_hash_of_the_tip(play, name):
    source, _ = play(name)
    assert_gives(source.tip_hash, TIP_HASHES[name])


@pytest.mark.parametrize("name", HASHES_AT)
def test_the_hash_at_a_height(play, name):
    source, height = play(name)
    assert_gives(lambda: source.hash_at(int(height)), HASHES_AT[name])


@pytest.mark.parametrize("name", HEADERS)
def test_a_header(play, name):
    source, block_hash = play(name)
    assert_gives(lambda: len(source.header(block_hash)), HEADERS[name])


@pytest.mark.parametrize("name", RAW_BLOCKS)
def test_a_raw_block(play, name):
    source, block_hash = play(name)

    def size_of_block() -> int:
        raw = source.raw_block(block_hash)
        assert parse_header(raw[:80]).hash == block_hash
        return len(raw)

    assert_gives(size_of_block, RAW_BLOCKS[name])


@pytest.mark.parametrize("name", TIPS)
def test_the_height_of_the_tip(play, server, name):
    source, block_hash = play(name)
    replies, reply = server.replies, recording(name).reply
    if len(block_hash) != 64:
        block_hash = STANDS_FOR_NO_HASH
        replies[f"{source.route}/block/{block_hash}"] = reply
    if not name.startswith(("coredown", "esplora")):
        replies[f"{source.route}/blocks/tip/hash"] = text(block_hash)
    if reply.status == 200:
        height = json.loads(reply.body)["height"]
        replies[f"{source.route}/block-height/{height}"] = there_at(height, name) or text(
            block_hash
        )
    assert_gives(lambda: source.tip()[0], TIPS[name])


def there_at(height: int, name: str) -> Reply | None:
    """Return what was answered at the height of a block that a reorganisation took out."""
    if not name.startswith("reorg"):
        return None
    situation = "reorg4-validfork" if "reorg5" in name else name.removesuffix("-block-old117")
    return recording(f"{situation}-block-height-{height}").reply


@pytest.mark.parametrize("name", ALL_THERE_IS)
def test_a_back_end_that_only_tells_about_itself(play, server, name):
    source, _ = play(name)
    server.replies = {recording(name).path: recording(name).reply}
    assert_gives(source.tip_hash, ALL_THERE_IS[name])


@pytest.mark.parametrize("name", ANSWERED_TO_EVERYTHING)
def test_an_address_with_something_else(server, name):
    places = [f"{base}/blocks/tip/hash" for base in ("/api/v1", "/api", "")]
    server.replies = dict.fromkeys(places, recording(name).reply)
    source = open_source(f"mempool+{server.url}", Settings(retries=0))
    assert_gives(source.tip_hash, ANSWERED_TO_EVERYTHING[name])
    source.close()
