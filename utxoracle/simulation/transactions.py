"""The transactions of a block as JSON, in the form that the mempool back end and electrs share.

What a transaction spends is mostly random here, and so neither its fee nor the outputs before it
can be told. Scripts are given as hex only.
"""

from dataclasses import dataclass
from typing import Any

from utxoracle.bitcoin.encoding import hash_to_hex
from utxoracle.bitcoin.scan import hash_transactions
from utxoracle.bitcoin.walk import is_null_outpoint, read_compact_size, walk
from utxoracle.simulation.view import BlockPlace

EVERY = 1_000_000
"""More transactions than a block can have."""


@dataclass
class _Reader:
    """Reads a serialised transaction from front to back."""

    raw: bytes
    at: int

    def take(self, length: int) -> bytes:
        self.at += length
        return self.raw[self.at - length : self.at]

    def number(self, length: int) -> int:
        return int.from_bytes(self.take(length), "little")

    def count(self) -> int:
        value, self.at = read_compact_size(self.raw, self.at)
        return value

    def counted(self) -> str:
        """Return as hex the bytes that their number stands before."""
        return self.take(self.count()).hex()


def transactions_of(place: BlockPlace, start: int, most: int) -> list[dict[str, Any]]:
    """Return up to `most` transactions of a block, from position `start` on."""
    raw = place.chain.raw_block(place.height)
    layout = walk(raw)
    txids = hash_transactions(raw, layout)
    status = {
        "confirmed": True,
        "block_height": place.height,
        "block_hash": place.hash,
        "block_time": place.chain.time_at(place.height),
    }
    rows = []
    for position in range(start, min(start + most, len(txids))):
        begin, end, segwit = layout.starts[position], layout.ends[position], layout.segwit[position]
        # Marker and flag count as witness, the lock time behind it doesn't.
        witness = end - 4 - layout.witnesses[position] + 2 if segwit else 0
        rows.append(
            {
                "txid": hash_to_hex(txids[position]),
                **_contents(_Reader(raw, begin), segwit),
                "size": end - begin,
                "weight": 4 * (end - begin) - 3 * witness,
                "fee": 0,
                "status": status,
            }
        )
    return rows


def summary_of(place: BlockPlace) -> list[dict[str, Any]]:
    """Return the back end's summary of all transactions of a block."""
    every = transactions_of(place, 0, EVERY)
    return [
        {
            "txid": one["txid"],
            "fee": 0,
            "vsize": -(-one["weight"] // 4),
            "value": sum(output["value"] for output in one["vout"]),
            "rate": 0,
            "flags": 0,
        }
        for one in every
    ]


def _contents(reader: _Reader, segwit: bool) -> dict[str, Any]:
    version = reader.number(4)
    if segwit:
        reader.take(2)
    inputs = [_input(reader) for _ in range(reader.count())]
    outputs = [
        {"value": reader.number(8), "scriptpubkey": reader.counted()} for _ in range(reader.count())
    ]
    if segwit:
        for one in inputs:
            one["witness"] = [reader.counted() for _ in range(reader.count())]
    return {"version": version, "locktime": reader.number(4), "vin": inputs, "vout": outputs}


def _input(reader: _Reader) -> dict[str, Any]:
    is_coinbase = is_null_outpoint(reader.raw, reader.at)
    return {
        "is_coinbase": is_coinbase,
        "prevout": None,
        "txid": hash_to_hex(reader.take(32)),
        "vout": reader.number(4),
        "scriptsig": reader.counted(),
        "sequence": reader.number(4),
    }
