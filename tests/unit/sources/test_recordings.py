"""Whether every recorded answer is tried, or is of no use."""

import re

from tests.unit.sources import (
    test_bitcoind_recorded,
    test_exchange_recorded,
    test_mempool_recorded,
)
from tests.unit.sources.recordings import names, needs_recordings, recording

pytestmark = needs_recordings

MEMPOOL_ROUTES_NOT_ASKED = {
    r"/blocks/tip/height": "kept in memory, and frozen while the node is gone",
    r"/blocks(/[^/]+)?": "kept in memory, and frozen while the node is gone",
    r"/blocks-bulk/.*": "off by default",
    r"/block/[^/]+/(txs(/\d+)?|txids|summary|audit-summary|status)": "parts of a block",
    r"/internal/.*": "parts of a block, and definitions",
    r"/(chain|stale)-tips": "a fork is seen by the hashes at its heights",
    r"/prices": "today's price, which no block is compared with",
    r"/(init-data|mempool|fees/.*|address/.*|difficulty-adjustment)": "nothing of confirmed blocks",
    r"/mining/.*": "statistics",
}
BITCOIND_ROUTES_NOT_ASKED = {
    r"/rest/block/(notxdetails/)?\w+\.(hex|json)": "as bytes a block is shortest",
    r"/rest/blockhashbyheight/\d+\.json": "asked for as hex",
    r"/rest/headers/\w+\.json\?count=\d": "asked for as bytes",
    r"/rest/(blockpart|spenttxouts)/.*": "not in every version",
}
NOT_TRIED = {
    "be-head": "only GET is used",
    "none-block-height-notnumber": "a height is a number here",
    "electrum-block-height-notnumber": "a height is a number here",
    "core-rpc-getblock-0": "the block in it was cut, and so it isn't JSON",
    "core-rpc-getblock-1": "asked for as hex",
    "core-rpc-getblock-2": "asked for as hex",
    "core-rpc-getblock-3": "asked for as hex",
    "core-rpc-getblockcount": "the tip's hash is needed too",
    "core-rpc-getblockheader": "asked for as hex",
}


def test_no_recorded_answer_is_forgotten():
    tried = {
        *test_mempool_recorded.CASES,
        *test_exchange_recorded.CASES,
        *test_bitcoind_recorded.CASES,
    }
    assert tried | set(NOT_TRIED) <= set(names())
    assert not tried & set(NOT_TRIED)
    left = [name for name in names() if name not in tried | set(NOT_TRIED)]
    assert [name for name in left if not is_of_a_route_that_is_not_asked(name)] == []


def is_of_a_route_that_is_not_asked(name: str) -> bool:
    path = recording(name).path
    mempool_path = re.sub(r"^/api(/v1)?(?=/)", "", path)
    return any(re.fullmatch(route, mempool_path) for route in MEMPOOL_ROUTES_NOT_ASKED) or any(
        re.fullmatch(route, path) for route in BITCOIND_ROUTES_NOT_ASKED
    )


def test_every_reason_for_leaving_an_answer_out_is_needed():
    paths = [re.sub(r"^/api(/v1)?(?=/)", "", recording(name).path) for name in names()]
    for route in (*MEMPOOL_ROUTES_NOT_ASKED, *BITCOIND_ROUTES_NOT_ASKED):
        assert any(re.fullmatch(route, path) for path in paths)
