"""What a node checks before it takes a block, said plainly.

Only as far as chains need it whose every spent output pays to OP_TRUE behind its hash: whatever
else is spent is refused. Nothing is shared with the package.
"""

from dataclasses import dataclass
from hashlib import sha256
from itertools import zip_longest

from tests.reference.parse import Reader, Transaction, double_sha256, parse_transaction

REGTEST_GENESIS = "0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206"
REGTEST_GENESIS_TIME = 1_296_688_602
LIMIT = 0x7FFFFF << 8 * 29
MAX_MONEY = 21_000_000 * 100_000_000
MAX_WEIGHT = 4_000_000
MAX_SIGOPS_COST = 80_000
MATURITY = 100
HALVING_INTERVAL = 150

OP_TRUE = b"\x51"
SPENDABLE = b"\x00\x20" + sha256(OP_TRUE).digest()
COMMITMENT = b"\x6a\x24\xaa\x21\xa9\xed"


class Refused(Exception):
    """Raised when a block isn't taken; the message is Bitcoin Core's name of the reason."""


@dataclass(frozen=True)
class Coin:
    value: int
    script: bytes
    height: int
    from_coinbase: bool


class Node:
    """A node that knows block 0 of regtest and has taken all blocks that it was given."""

    def __init__(self) -> None:
        self.hash = bytes.fromhex(REGTEST_GENESIS)[::-1]
        self.times = [REGTEST_GENESIS_TIME]
        self.coins: dict[tuple[bytes, int], Coin] = {}

    @property
    def height(self) -> int:
        return len(self.times) - 1

    def fork(self) -> "Node":
        """Return one that has taken the same blocks."""
        other = Node()
        other.hash, other.times, other.coins = self.hash, self.times.copy(), self.coins.copy()
        return other

    def take(self, raw: bytes) -> None:
        """Take the next block.

        Raises:
            Refused: It breaks a rule; then this node is of no more use.
        """
        transactions, wholes = parse(raw)
        self.check_header(raw[:80])
        txids = [transaction.txid for transaction in transactions]
        check(merkle_root(txids) == raw[36:68], "bad-txnmrklroot")
        check(len(set(txids)) == len(txids), "bad-txns-duplicate")
        check_witnesses(transactions, wholes)
        check(weight(raw, transactions, wholes) <= MAX_WEIGHT, "bad-blk-weight")
        check(sigops_cost(transactions) <= MAX_SIGOPS_COST, "bad-blk-sigops")
        height = self.height + 1
        coinbase, *others = transactions
        self.check_coinbase(coinbase, height)
        self.add(coinbase, height, from_coinbase=True)
        fees = 0
        for transaction in others:
            fees += self.spend(transaction, height) - paid(transaction)
            self.add(transaction, height, from_coinbase=False)
        check(paid(coinbase) <= subsidy(height) + fees, "bad-cb-amount")
        self.times.append(int.from_bytes(raw[68:72], "little"))
        self.hash = double_sha256(raw[:80])

    def check_header(self, header: bytes) -> None:
        check(header[4:36] == self.hash, "prev-blk-not-found")
        check(header[72:76] == bytes.fromhex("ffff7f20"), "bad-diffbits")
        check(int.from_bytes(double_sha256(header), "little") <= LIMIT, "high-hash")
        last = sorted(self.times[-11:])
        check(int.from_bytes(header[68:72], "little") > last[len(last) // 2], "time-too-old")

    def check_coinbase(self, coinbase: Transaction, height: int) -> None:
        [one] = coinbase.inputs
        check(one.prev_txid + one.prev_index == bytes(32) + b"\xff" * 4, "bad-cb-missing")
        check(2 <= len(one.script) <= 100, "bad-cb-length")
        if height <= 16:
            push = bytes([0x50 + height])
        else:
            number = height.to_bytes(height.bit_length() // 8 + 1, "little")
            push = bytes([len(number)]) + number
        check(one.script.startswith(push), "bad-cb-height")

    def spend(self, transaction: Transaction, height: int) -> int:
        """Take what a transaction spends out of the coins, and return its satoshis."""
        total = 0
        for one, witness in zip_longest(transaction.inputs, transaction.witnesses):
            outpoint = one.prev_txid, int.from_bytes(one.prev_index, "little")
            check(outpoint in self.coins, "bad-txns-inputs-missingorspent")
            coin = self.coins.pop(outpoint)
            young = coin.from_coinbase and height - coin.height < MATURITY
            check(not young, "bad-txns-premature-spend-of-coinbase")
            check(coin.script == SPENDABLE and one.script == b"", "mandatory-script-verify-flag")
            check(witness == [OP_TRUE], "mandatory-script-verify-flag")
            total += coin.value
        check(total >= paid(transaction), "bad-txns-in-belowout")
        return total

    def add(self, transaction: Transaction, height: int, *, from_coinbase: bool) -> None:
        check(bool(transaction.inputs and transaction.outputs), "bad-txns-empty")
        for index, output in enumerate(transaction.outputs):
            coin = Coin(output.value, output.script, height, from_coinbase)
            self.coins[transaction.txid, index] = coin


def check(holds: bool, reason: str) -> None:
    if not holds:
        raise Refused(reason)


def parse(raw: bytes) -> tuple[list[Transaction], list[bytes]]:
    """Return a block's transactions, and each one's bytes."""
    reader = Reader(raw)
    reader.take(80)
    transactions, wholes = [], []
    for _ in range(reader.varint()):
        begin = reader.position
        transactions.append(parse_transaction(reader))
        wholes.append(raw[begin : reader.position])
    check(reader.position == len(raw), "bytes are left over")
    return transactions, wholes


def check_witnesses(transactions: list[Transaction], wholes: list[bytes]) -> None:
    """Check the commitment of BIP141."""
    coinbase = transactions[0]
    commitments = [
        output.script[6:38] for output in coinbase.outputs if output.script[:6] == COMMITMENT
    ]
    check(bool(commitments), "unexpected-witness")
    check([len(item) for item in coinbase.witnesses[0]] == [32], "bad-witness-nonce-size")
    root = merkle_root([bytes(32), *map(double_sha256, wholes[1:])])
    expected = double_sha256(root + coinbase.witnesses[0][0])
    check(commitments[-1] == expected, "bad-witness-merkle-match")


def weight(raw: bytes, transactions: list[Transaction], wholes: list[bytes]) -> int:
    """Return the weight of a block."""
    witnesses = sum(witness_size(one) for one in transactions if one.witnesses)
    assert len(raw) > sum(map(len, wholes)) > witnesses
    return 4 * (len(raw) - witnesses) + witnesses


def witness_size(transaction: Transaction) -> int:
    """Return the bytes of marker, flag and witness; counts and lengths take one byte each."""
    return 2 + sum(1 + sum(1 + len(item) for item in witness) for witness in transaction.witnesses)


def sigops_cost(transactions: list[Transaction]) -> int:
    """Return what the signature checks in outputs cost: only P2PKH has one, and it counts four."""
    scripts = [output.script for one in transactions for output in one.outputs]
    return 4 * sum(script[:3] == b"\x76\xa9\x14" for script in scripts)


def paid(transaction: Transaction) -> int:
    values = [output.value for output in transaction.outputs]
    check(all(value <= MAX_MONEY for value in [*values, sum(values)]), "bad-txns-vout-toolarge")
    return sum(values)


def subsidy(height: int) -> int:
    return 5_000_000_000 >> height // HALVING_INTERVAL


def merkle_root(level: list[bytes]) -> bytes:
    while len(level) > 1:
        if len(level) % 2:
            level = [*level, level[-1]]
        level = [
            double_sha256(level[place] + level[place + 1]) for place in range(0, len(level), 2)
        ]
    return level[0]
