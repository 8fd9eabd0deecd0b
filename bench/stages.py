"""Milliseconds per block, stage by stage, with everything verified."""

import time
from collections.abc import Callable
from typing import Any

from utxoracle.bitcoin.header import parse_header, verify_proof_of_work
from utxoracle.bitcoin.merkle import merkle_root
from utxoracle.bitcoin.network import Network
from utxoracle.bitcoin.scan import hash_transactions, scan_block, witness_root
from utxoracle.bitcoin.walk import walk

ROUNDS = 9


def best_ms(action: Callable[[], Any]) -> float:
    """Return the least of some rounds, in milliseconds: the one that was disturbed least."""
    times = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        action()
        times.append(time.perf_counter() - started)
    return min(times) * 1000


def measure(raw: bytes, height: int, network: Network) -> dict[str, float]:
    """Return the milliseconds of each stage of scanning one block, and of the whole."""
    header = parse_header(raw)
    layout = walk(raw)
    txids = hash_transactions(raw, layout)
    stages = {
        "header": best_ms(lambda: verify_proof_of_work(parse_header(raw), network)),
        "walk and filters": best_ms(lambda: walk(raw)),
        "txids": best_ms(lambda: hash_transactions(raw, layout)),
        "merkle root": best_ms(lambda: merkle_root(txids)),
        "witness root": best_ms(lambda: witness_root(raw, layout, txids)),
        "all": best_ms(
            lambda: scan_block(raw, expected_hash=header.hash, height=height, network=network)
        ),
    }
    stages["arrays"] = stages["all"] - sum(ms for name, ms in stages.items() if name != "all")
    return stages
