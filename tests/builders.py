"""Small transactions and blocks, made from pieces, sound unless a test asks for a forgery."""

from dataclasses import dataclass, field, replace
from functools import cached_property

from utxoracle.bitcoin.encoding import NULL_HASH, compact_size, double_sha256, height_push
from utxoracle.bitcoin.merkle import merkle_root
from utxoracle.bitcoin.network import REGTEST, Network
from utxoracle.bitcoin.scan import BlockScan, scan_block

COMMITMENT_PREFIX = b"\x6a\x24\xaa\x21\xa9\xed"
P2WPKH = b"\x00\x14" + b"\x11" * 20
OP_RETURN = b"\x6a"


def some_txid(number: int) -> bytes:
    """Return a txid that no built transaction has."""
    return double_sha256(b"some txid %d" % number)


@dataclass(frozen=True)
class Input:
    prev_txid: bytes = some_txid(0)
    prev_index: int = 0
    script: bytes = b""
    witness: tuple[bytes, ...] = ()

    @property
    def raw(self) -> bytes:
        outpoint = self.prev_txid + self.prev_index.to_bytes(4, "little")
        return outpoint + with_length(self.script) + b"\xff\xff\xff\xff"


@dataclass(frozen=True)
class Output:
    value: int = 50_000
    script: bytes = P2WPKH

    @property
    def raw(self) -> bytes:
        return self.value.to_bytes(8, "little") + with_length(self.script)


@dataclass(frozen=True)
class Transaction:
    """One transaction; serialised with a witness when an input has one, or on request."""

    inputs: tuple[Input, ...] = (Input(),)
    outputs: tuple[Output, ...] = (Output(), Output())
    lock_time: int = 0
    force_segwit: bool = False

    @property
    def is_segwit(self) -> bool:
        return self.force_segwit or any(one.witness for one in self.inputs)

    @property
    def stripped(self) -> bytes:
        return b"\x02\x00\x00\x00" + self._body + self.lock_time.to_bytes(4, "little")

    @cached_property
    def raw(self) -> bytes:
        if not self.is_segwit:
            return self.stripped
        witness = b"".join(
            compact_size(len(one.witness)) + b"".join(map(with_length, one.witness))
            for one in self.inputs
        )
        lock_time = self.lock_time.to_bytes(4, "little")
        return b"\x02\x00\x00\x00\x00\x01" + self._body + witness + lock_time

    @cached_property
    def txid(self) -> bytes:
        return double_sha256(self.stripped)

    @property
    def wtxid(self) -> bytes:
        return double_sha256(self.raw)

    @property
    def _body(self) -> bytes:
        inputs = compact_size(len(self.inputs)) + b"".join(one.raw for one in self.inputs)
        return inputs + compact_size(len(self.outputs)) + b"".join(out.raw for out in self.outputs)


@dataclass(frozen=True)
class Block:
    """A header that has its proof of work, and the transactions behind it.

    Attributes:
        transactions: The coinbase first.
        count: The bytes of the transaction count; the right ones unless a test says otherwise.
    """

    height: int
    transactions: tuple[Transaction, ...]
    prev_hash: bytes = NULL_HASH
    time: int = 1_700_000_000
    bits: int = REGTEST.pow_limit_bits
    root: bytes | None = None
    tail: bytes = b""
    count: bytes = field(default=b"")

    @cached_property
    def header(self) -> bytes:
        root = self.root or merkle_root([one.txid for one in self.transactions])
        front = b"\x00\x00\x00\x20" + self.prev_hash + root
        return mined(front + self.time.to_bytes(4, "little") + self.bits.to_bytes(4, "little"))

    @cached_property
    def raw(self) -> bytes:
        count = self.count or compact_size(len(self.transactions))
        return self.header + count + b"".join(one.raw for one in self.transactions) + self.tail

    @property
    def hash(self) -> str:
        return double_sha256(self.header)[::-1].hex()

    def scan(self, network: Network = REGTEST, **changed: object) -> BlockScan:
        """Return the package's scan of this block, asked for by its own hash and height."""
        arguments = {"expected_hash": self.hash, "height": self.height, "network": network}
        return scan_block(self.raw, **(arguments | changed))  # type: ignore[arg-type]


def with_length(data: bytes) -> bytes:
    """Return `data` behind its length."""
    return compact_size(len(data)) + data


def mined(front: bytes) -> bytes:
    """Return the 76 bytes `front` with the first nonce that regtest's target accepts."""
    nonce = 0
    while double_sha256(front + nonce.to_bytes(4, "little"))[31] > 0x7E:
        nonce += 1
    return front + nonce.to_bytes(4, "little")


def witness_commitment(transactions: tuple[Transaction, ...], reserved: bytes = NULL_HASH) -> bytes:
    """Return what a coinbase commits to when `transactions` follow it."""
    wtxids = [NULL_HASH, *(one.wtxid for one in transactions)]
    return double_sha256(merkle_root(wtxids) + reserved)


def build_coinbase(
    height: int,
    *,
    commitment: bytes | None = None,
    reserved: tuple[bytes, ...] = (NULL_HASH,),
    script: bytes | None = None,
    outputs: tuple[Output, ...] = (Output(312_500_000),),
) -> Transaction:
    """Return a coinbase of `height` whose last output is the commitment, if there is one."""
    extra = b"/test/" + height.to_bytes(4, "little")
    script = height_push(height) + extra if script is None else script
    if commitment is not None:
        outputs = (*outputs, Output(0, COMMITMENT_PREFIX + commitment))
    one = Input(NULL_HASH, 0xFFFFFFFF, script, reserved if commitment is not None else ())
    return Transaction((one,), outputs)


def build_block(
    *transactions: Transaction, height: int = 100, prev_hash: bytes = NULL_HASH, time: int = 0
) -> Block:
    """Return a sound block that holds a coinbase and `transactions`."""
    commitment = None
    if any(one.is_segwit for one in transactions):
        commitment = witness_commitment(transactions)
    coinbase = build_coinbase(height, commitment=commitment)
    time = time or 1_700_000_000 + 600 * (height % 1_000_000)
    return Block(height, (coinbase, *transactions), prev_hash, time)


def pay(
    *values: int, spend: bytes | None = None, number: int = 0, **changed: object
) -> Transaction:
    """Return a one-input transaction with outputs of `values` satoshis.

    `number` tells apart transactions that would otherwise be equal.
    """
    one = Input(spend or some_txid(number))
    transaction = Transaction((one,), tuple(Output(value) for value in values), number)
    return replace(transaction, **changed)  # type: ignore[arg-type]
