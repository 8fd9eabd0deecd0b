"""Milliseconds per block, stage by stage, with everything verified."""

import time

from utxoracle.bitcoin.header import parse_header, verify_proof_of_work
from utxoracle.bitcoin.merkle import merkle_root
from utxoracle.bitcoin.network import Network
from utxoracle.bitcoin.scan import hash_transactions, reduce_block, scan_block, witness_root
from utxoracle.bitcoin.walk import walk

ROUNDS = 9


def measure(raw: bytes, height: int, network: Network) -> dict[str, float]:
    """Return the milliseconds of each stage of scanning one block, and of the whole.

    Each is the least of some rounds, in which all are measured in turn: the one that other work
    on the machine disturbed least.
    """
    header = parse_header(raw)
    layout = walk(raw)
    txids = hash_transactions(raw, layout)
    stages = {
        "header": lambda: verify_proof_of_work(parse_header(raw), network),
        "walk and filters": lambda: walk(raw),
        "txids": lambda: hash_transactions(raw, layout),
        "merkle root": lambda: merkle_root(txids),
        "witness root": lambda: witness_root(raw, layout, txids),
        "arrays": lambda: reduce_block(raw, layout, txids, header, height),
        "all": lambda: scan_block(raw, expected_hash=header.hash, height=height, network=network),
    }
    least = dict.fromkeys(stages, float("inf"))
    for _ in range(ROUNDS):
        for name, stage in stages.items():
            started = time.perf_counter()
            stage()
            least[name] = min(least[name], (time.perf_counter() - started) * 1000)
    return least
