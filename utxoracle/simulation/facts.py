"""What the simulated servers tell of a block besides its bytes."""

from utxoracle.bitcoin.encoding import hash_to_hex
from utxoracle.bitcoin.header import parse_header
from utxoracle.bitcoin.scan import hash_transactions
from utxoracle.bitcoin.walk import walk
from utxoracle.simulation.view import BlockPlace

POW_LIMIT_DIFFICULTY = 4.656542373906925e-10
"""Difficulty at regtest's target."""


def txids_of(place: BlockPlace) -> list[str]:
    """Return the txids of a block in its order, as hex."""
    raw = place.chain.raw_block(place.height)
    return [hash_to_hex(txid) for txid in hash_transactions(raw, walk(raw))]


def block_facts(place: BlockPlace) -> dict[str, object]:
    """Return what the mempool back end and electrs alike tell of a block."""
    chain, height = place.chain, place.height
    header = parse_header(place.header)
    raw = chain.raw_block(height)
    weight, tx_count = (
        (4 * len(raw), 1)
        if height == 0
        else (chain.facts_at(height).weight, chain.facts_at(height).tx_count)
    )
    return {
        "id": header.hash,
        "height": height,
        "version": int.from_bytes(raw[:4], "little"),
        "timestamp": header.time,
        "bits": header.bits,
        "nonce": int.from_bytes(raw[76:80], "little"),
        "difficulty": POW_LIMIT_DIFFICULTY,
        "merkle_root": hash_to_hex(header.merkle_root),
        "tx_count": tx_count,
        "size": len(raw),
        "weight": weight,
        "previousblockhash": header.prev_hash if height else None,
        "mediantime": chain.median_time_at(height),
    }
