"""Blocks read plainly: one reader, one field after the other, nothing checked but the length."""

from dataclasses import dataclass
from hashlib import sha256


@dataclass
class Input:
    prev_txid: bytes
    prev_index: bytes
    script: bytes


@dataclass
class Output:
    value: int
    script: bytes


@dataclass
class Transaction:
    txid: bytes
    inputs: list[Input]
    outputs: list[Output]
    witnesses: list[list[bytes]]


class Reader:
    """Bytes, read from the front."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.position = 0

    def take(self, count: int) -> bytes:
        taken = self.data[self.position : self.position + count]
        if len(taken) != count:
            raise ValueError("the bytes end too early")
        self.position += count
        return taken

    def number(self, count: int) -> int:
        return int.from_bytes(self.take(count), "little")

    def varint(self) -> int:
        first = self.number(1)
        if first == 0xFD:
            return self.number(2)
        if first == 0xFE:
            return self.number(4)
        if first == 0xFF:
            return self.number(8)
        return first

    def bytes_with_length(self) -> bytes:
        return self.take(self.varint())


def double_sha256(data: bytes) -> bytes:
    return sha256(sha256(data).digest()).digest()


def parse_block(raw: bytes) -> list[Transaction]:
    """Return the transactions of a serialised block, in order."""
    reader = Reader(raw)
    reader.take(80)
    transactions = []
    for _ in range(reader.varint()):
        transactions.append(parse_transaction(reader))
    if reader.position != len(raw):
        raise ValueError("bytes are left over")
    return transactions


def parse_transaction(reader: Reader) -> Transaction:
    """Return the transaction that begins where the reader stands."""
    version = reader.take(4)
    segwit = reader.data[reader.position : reader.position + 2] == b"\x00\x01"
    if segwit:
        reader.take(2)

    body_start = reader.position
    inputs = []
    for _ in range(reader.varint()):
        prev_txid = reader.take(32)
        prev_index = reader.take(4)
        script = reader.bytes_with_length()
        reader.take(4)
        inputs.append(Input(prev_txid, prev_index, script))
    outputs = []
    for _ in range(reader.varint()):
        value = reader.number(8)
        outputs.append(Output(value, reader.bytes_with_length()))
    body = reader.data[body_start : reader.position]

    witnesses = []
    if segwit:
        for _ in inputs:
            witnesses.append([reader.bytes_with_length() for _ in range(reader.varint())])
    lock_time = reader.take(4)
    return Transaction(double_sha256(version + body + lock_time), inputs, outputs, witnesses)
