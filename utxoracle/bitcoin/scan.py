"""A block's bytes, verified and reduced to what a price needs."""

from dataclasses import dataclass
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from utxoracle.bitcoin.encoding import NULL_HASH, double_sha256, height_push
from utxoracle.bitcoin.header import BlockHeader, parse_header, verify_proof_of_work
from utxoracle.bitcoin.merkle import merkle_root
from utxoracle.bitcoin.network import Network
from utxoracle.bitcoin.walk import Layout, is_null_outpoint, read_compact_size, walk
from utxoracle.errors import BlockCorrupt

COMMITMENT_PREFIX = b"\x6a\x24\xaa\x21\xa9\xed"
COMMITMENT_SCRIPT_SIZE = 38


@dataclass(frozen=True, eq=False)
class BlockScan:
    """What is kept of a verified block.

    A *candidate* is a transaction that passes every filter of the method but the same-window
    one, which depends on more than one block. Txids are kept as their first eight bytes in
    internal order, read as a little-endian number: enough to tell a window's million txids apart.

    Attributes:
        height: Height of the block.
        hash: Its hash, 64 hex digits.
        prev_hash: Hash of the block before.
        time: Its time stamp, seconds since 1970 UTC.
        bits: The target it claims, in compact form.
        size: Its length in bytes.
        txids: uint64[tx_count], every transaction in block order.
        candidates: int32[n], positions of the candidates in the block, ascending.
        values: int64[n, 2], their two output values in satoshis.
        prev_txids: uint64[m], the txids their inputs spend, candidate after candidate.
        prev_offsets: int32[n + 1]; those of candidate i lie from prev_offsets[i] up to [i + 1].
    """

    height: int
    hash: str
    prev_hash: str
    time: int
    bits: int
    size: int
    txids: NDArray[np.uint64]
    candidates: NDArray[np.int32]
    values: NDArray[np.int64]
    prev_txids: NDArray[np.uint64]
    prev_offsets: NDArray[np.int32]

    @property
    def tx_count(self) -> int:
        """Number of transactions, the coinbase included."""
        return len(self.txids)


def scan_block(raw: bytes, *, expected_hash: str, height: int, network: Network) -> BlockScan:
    """Return the scan of a serialised block after verifying all of it.

    Verified: the header's hash is `expected_hash` and meets a target that `network` allows; the
    merkle root is that of the transactions and of no other list; the coinbase begins with
    `height` (BIP34) and commits to all witnesses (BIP141); every byte is used.

    Raises:
        BlockCorrupt: Something of this doesn't hold; the message names the block and the reason.
    """
    try:
        header = parse_header(raw)
        if header.hash != expected_hash:
            raise BlockCorrupt(f"its header hashes to {header.hash}")
        verify_proof_of_work(header, network)
        layout = walk(raw)
        txids = hash_transactions(raw, layout)
        verify_coinbase(raw, layout, height, network)
        verify_roots(raw, layout, header, txids, segwit=height >= network.segwit_height)
    except BlockCorrupt as error:
        raise BlockCorrupt(f"block {height} {expected_hash} is not usable: {error}") from None
    return reduce_block(raw, layout, txids, header, height)


def hash_transactions(raw: bytes, layout: Layout) -> list[bytes]:
    """Return the txids in internal order: hashes of the serialisation without witness."""
    txids = []
    for start, witness, end, segwit in zip(
        layout.starts, layout.witnesses, layout.ends, layout.segwit, strict=True
    ):
        if segwit:
            body = raw[start : start + 4] + raw[start + 6 : witness] + raw[end - 4 : end]
        else:
            body = raw[start:end]
        txids.append(sha256(sha256(body).digest()).digest())
    return txids


def verify_coinbase(raw: bytes, layout: Layout, height: int, network: Network) -> None:
    """Check that the first transaction is a coinbase, and one of this height.

    That it is one also rules out that inner nodes of the merkle tree pose as transactions
    (CVE-2017-12842): the first leaf of a deeper tree would have to hash to a coinbase.

    Raises:
        BlockCorrupt: It isn't.
    """
    inputs = layout.coinbase_inputs
    if len(inputs) != 1 or not is_null_outpoint(raw, inputs[0]):
        raise BlockCorrupt("its first transaction is not a coinbase")
    length, script = read_compact_size(raw, inputs[0] + 36)
    expected = height_push(height)
    if height >= network.bip34_height and not raw[script : script + length].startswith(expected):
        raise BlockCorrupt(f"its coinbase does not begin with height {height} (BIP34)")


def verify_roots(
    raw: bytes, layout: Layout, header: BlockHeader, txids: list[bytes], *, segwit: bool
) -> None:
    """Check the merkle root, and the witness commitment wherever a witness is or should be.

    Where BIP141 is in force (`segwit`) a commitment binds also a block that has no witness left:
    a source that strips all of them changes neither the txids nor the merkle root, but what the
    witness filter sees. Before that, miners already wrote commitments that nothing enforced.

    Raises:
        BlockCorrupt: A root differs, or transactions have witnesses that nothing commits to.
    """
    if merkle_root(txids) != header.merkle_root:
        raise BlockCorrupt("its merkle root is not that of its transactions")
    commitment = _witness_commitment(raw, layout)
    has_witness = any(layout.segwit)
    if commitment is None:
        if has_witness:
            raise BlockCorrupt("it has witnesses but no commitment to them (BIP141)")
        return
    if not has_witness and not segwit:
        return
    if witness_root(raw, layout, txids) != commitment:
        raise BlockCorrupt("its witness commitment is not that of its witnesses (BIP141)")


def witness_root(raw: bytes, layout: Layout, txids: list[bytes]) -> bytes:
    """Return the hash that a coinbase output must commit to: wtxid root and reserved value.

    Raises:
        BlockCorrupt: The coinbase carries no reserved value of 32 bytes, or wtxids repeat.
    """
    end = layout.ends[0]
    reserved = raw[end - 36 : end - 4]
    # One item of 32 bytes, and nothing else, is what BIP141 allows a coinbase to carry.
    if raw[layout.witnesses[0] : end - 36] != b"\x01\x20":
        raise BlockCorrupt("its coinbase carries no witness reserved value of 32 bytes (BIP141)")
    wtxids = [
        sha256(sha256(raw[start:end]).digest()).digest() if segwit else txid
        for start, end, segwit, txid in zip(
            layout.starts, layout.ends, layout.segwit, txids, strict=True
        )
    ]
    wtxids[0] = NULL_HASH
    return double_sha256(merkle_root(wtxids) + reserved)


def _witness_commitment(raw: bytes, layout: Layout) -> bytes | None:
    """Return the 32 bytes of the last output of the coinbase that is a commitment, if any."""
    for at in reversed(layout.coinbase_outputs):
        length, script = read_compact_size(raw, at + 8)
        if length >= COMMITMENT_SCRIPT_SIZE and raw.startswith(COMMITMENT_PREFIX, script):
            return raw[script + 6 : script + COMMITMENT_SCRIPT_SIZE]
    return None


def reduce_block(
    raw: bytes, layout: Layout, txids: list[bytes], header: BlockHeader, height: int
) -> BlockScan:
    """Return what is kept of a verified block."""
    counts = np.fromiter(map(len, layout.prevouts), np.int32, len(layout.prevouts))
    prevouts = [at for inputs in layout.prevouts for at in inputs]
    values = np.asarray(layout.values, np.int64).reshape(-1, 2)
    return BlockScan(
        height=height,
        hash=header.hash,
        prev_hash=header.prev_hash,
        time=header.time,
        bits=header.bits,
        size=len(raw),
        txids=np.frombuffer(b"".join(txids), "<u8")[::4].astype(np.uint64),
        candidates=np.asarray(layout.candidates, np.int32),
        values=_eight_bytes_at(raw, values).astype(np.int64),
        prev_txids=_eight_bytes_at(raw, np.asarray(prevouts, np.int64)),
        prev_offsets=np.concatenate([[0], np.cumsum(counts)]).astype(np.int32),
    )


def _eight_bytes_at(raw: bytes, offsets: NDArray[np.int64]) -> NDArray[np.uint64]:
    """Return the little-endian numbers of eight bytes at `offsets`, in the same shape."""
    octets = np.frombuffer(raw, np.uint8)[offsets[..., np.newaxis] + np.arange(8)]
    return np.ascontiguousarray(octets).view("<u8")[..., 0].astype(np.uint64)
