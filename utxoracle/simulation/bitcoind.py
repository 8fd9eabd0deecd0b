"""What a simulated bitcoind tells over REST and JSON-RPC alike."""

from utxoracle.bitcoin.encoding import hash_to_hex
from utxoracle.bitcoin.header import parse_header
from utxoracle.simulation.answers import JSON, Answer, compact_json
from utxoracle.simulation.facts import POW_LIMIT_DIFFICULTY
from utxoracle.simulation.view import BlockPlace, ChainView

HTML = "text/html; charset=ISO-8859-1"
TARGET = "7fffff" + 58 * "0"
LOADING = "Loading block index…"
SYNC_PROGRESS = 0.5


def header_facts(view: ChainView, place: BlockPlace) -> dict[str, object]:
    """Return what bitcoind tells of a header."""
    chain, height = place.chain, place.height
    header = parse_header(place.header)
    version = int.from_bytes(place.header[:4], "little")
    facts: dict[str, object] = {
        "hash": header.hash,
        "confirmations": -1 if place.is_stale else view.tip - height + 1,
        "height": height,
        "version": version,
        "versionHex": f"{version:08x}",
        "merkleroot": hash_to_hex(header.merkle_root),
        "time": header.time,
        "mediantime": chain.median_time_at(height),
        "nonce": int.from_bytes(place.header[76:80], "little"),
        "bits": f"{header.bits:08x}",
        "target": TARGET,
        "difficulty": POW_LIMIT_DIFFICULTY,
        "chainwork": _chain_work(height),
        "nTx": chain.facts_at(height).tx_count if height else 1,
    }
    if height:
        facts["previousblockhash"] = header.prev_hash
    if view.has(height + 1) and not place.is_stale:
        facts["nextblockhash"] = view.hash_at(height + 1)
    return facts


def chain_info(view: ChainView) -> dict[str, object]:
    """Return what bitcoind tells of its chain."""
    tip, newest, node = view.tip, view.place_at(view.tip), view.node
    pruning = {"pruneheight": node.pruned, "automatic_pruning": False}
    return {
        "chain": "regtest",
        "blocks": tip,
        "headers": tip,
        "bestblockhash": newest.hash,
        "bits": f"{parse_header(newest.header).bits:08x}",
        "target": TARGET,
        "difficulty": POW_LIMIT_DIFFICULTY,
        "time": newest.chain.time_at(newest.height),
        "mediantime": newest.chain.median_time_at(newest.height),
        "verificationprogress": SYNC_PROGRESS if node.syncing else 1,
        "initialblockdownload": node.syncing,
        "chainwork": _chain_work(tip),
        "size_on_disk": 0,
        "pruned": node.pruned is not None,
        **({} if node.pruned is None else pruning),
        "warnings": [],
    }


def chain_tips(view: ChainView) -> list[dict[str, object]]:
    """Return what bitcoind, and the mempool back end after it, tell of each branch."""
    return [
        {
            "height": place.height,
            "hash": place.hash,
            "branchlen": length,
            "status": "valid-fork" if place.is_stale else "active",
        }
        for place, length in view.tips()
    ]


def json_line(value: object, status: int = 200) -> Answer:
    """Return JSON as bitcoind ends it."""
    return Answer(status, JSON, compact_json(value) + b"\n")


def _chain_work(height: int) -> str:
    """Return the work up to `height`: two hashes for each block at regtest's target."""
    return f"{2 * (height + 1):064x}"
