from dataclasses import replace

import numpy as np
import pytest

from tests.builders import (
    COMMITMENT_PREFIX,
    Block,
    Input,
    Output,
    Transaction,
    build_block,
    build_coinbase,
    mined,
    pay,
    some_txid,
    witness_commitment,
)
from utxoracle.bitcoin.encoding import NULL_HASH, height_push
from utxoracle.bitcoin.merkle import merkle_root
from utxoracle.bitcoin.network import MAIN, REGTEST
from utxoracle.bitcoin.scan import scan_block
from utxoracle.errors import BlockCorrupt

BEFORE_SEGWIT = replace(REGTEST, segwit_height=101)
AT_SEGWIT = replace(REGTEST, segwit_height=100)


def segwit_pay(number: int, *values: int) -> Transaction:
    one = Input(some_txid(number), number, witness=(b"sig" * 24, b"key" * 11))
    return Transaction((one,), tuple(Output(value) for value in values))


def segwit_block(**changed) -> Block:
    return build_block(segwit_pay(1, 5000, 6000), pay(7000, 8000), segwit_pay(2, 1, 2), **changed)


def with_coinbase(coinbase: Transaction, *others: Transaction, height: int = 100) -> Block:
    return Block(height, (coinbase, *others))


def stripped(transaction: Transaction) -> Transaction:
    inputs = tuple(replace(one, witness=()) for one in transaction.inputs)
    return replace(transaction, inputs=inputs, force_segwit=False)


def refused(block: Block, match: str, **changed) -> None:
    with pytest.raises(BlockCorrupt, match=match):
        block.scan(**changed)


def short(txid: bytes) -> int:
    return int.from_bytes(txid[:8], "little")


# What a scan holds.


def test_a_scan_holds_what_the_builder_put_in():
    parents = [some_txid(n) for n in range(7)]
    first = Transaction(tuple(Input(txid) for txid in parents[:5]), (Output(1001), Output(10**13)))
    second = Transaction((Input(parents[5], witness=(b"w",)),), (Output(0), Output(21 * 10**14)))
    dropped = pay(5000, 5000, 5000, number=8)
    block = build_block(dropped, first, dropped_too := pay(9, number=9), second, height=1234)
    scan = block.scan()

    assert (scan.height, scan.hash, scan.size) == (1234, block.hash, len(block.raw))
    assert scan.prev_hash == "00" * 32
    assert scan.time == block.time
    assert scan.tx_count == 5
    txids = [one.txid for one in (block.transactions[0], dropped, first, dropped_too, second)]
    assert scan.txids.tolist() == [short(txid) for txid in txids]
    assert scan.candidates.tolist() == [2, 4]
    assert scan.values.tolist() == [[1001, 10**13], [0, 21 * 10**14]]
    assert scan.prev_txids.tolist() == [short(txid) for txid in parents[:6]]
    assert scan.prev_offsets.tolist() == [0, 5, 6]


@pytest.mark.parametrize("transactions", [(), (pay(1, number=1),), (pay(5000, 6000),)])
def test_the_arrays_of_a_scan_have_their_shapes_and_types(transactions):
    scan = build_block(*transactions).scan()
    n = len(scan.candidates)
    assert scan.txids.dtype == np.uint64 and scan.txids.shape == (scan.tx_count,)
    assert scan.candidates.dtype == np.int32
    assert scan.values.dtype == np.int64 and scan.values.shape == (n, 2)
    assert scan.prev_txids.dtype == np.uint64
    assert scan.prev_offsets.dtype == np.int32 and scan.prev_offsets.shape == (n + 1,)
    assert scan.prev_offsets[-1] == len(scan.prev_txids)


def test_a_block_may_hold_its_coinbase_only():
    scan = build_block(height=5).scan()
    assert (scan.tx_count, len(scan.candidates)) == (1, 0)


def test_a_candidate_without_inputs_has_an_empty_range():
    nothing = Transaction((), (Output(5000), Output(6000)), force_segwit=True)
    scan = build_block(nothing, pay(5000, 6000)).scan()
    assert scan.prev_offsets.tolist() == [0, 0, 1]


# Hash and proof of work.


def test_the_hash_asked_for_is_the_one_that_counts():
    refused(build_block(), "its header hashes to", expected_hash="00" * 32)


def test_the_message_names_the_block_and_is_one_line():
    block = segwit_block()
    with pytest.raises(BlockCorrupt) as caught:
        scan_block(block.raw[:-1], expected_hash=block.hash, height=100, network=REGTEST)
    assert str(caught.value).startswith(f"block 100 {block.hash} is not usable: ")
    assert "\n" not in str(caught.value)


def test_a_block_of_regtest_is_refused_on_main():
    refused(segwit_block(), "easier than main allows", network=MAIN)


def test_a_block_without_proof_of_work_is_refused():
    refused(replace(build_block(), bits=0x1D00FFFF), "no proof of work")


@pytest.mark.parametrize("length", [0, 79, 80, 81, 200])
def test_a_cut_block_is_refused(length):
    block = segwit_block()
    with pytest.raises(BlockCorrupt):
        scan_block(block.raw[:length], expected_hash=block.hash, height=100, network=REGTEST)


def test_a_right_header_with_100_megabytes_behind_it_is_refused():
    refused(replace(build_block(), tail=bytes(100_000_000)), "more than a block can have")


def test_any_changed_byte_behind_the_header_is_refused():
    block = segwit_block()
    for at in range(80, len(block.raw)):
        forged = bytearray(block.raw)
        forged[at] ^= 1
        with pytest.raises(BlockCorrupt):
            scan_block(bytes(forged), expected_hash=block.hash, height=100, network=REGTEST)


# Merkle root.


def test_a_root_of_other_transactions_is_refused():
    block = build_block(pay(5000, 6000))
    refused(replace(block, root=some_txid(1)), "merkle root is not that of its transactions")
    swapped = build_block(pay(5000, 6000, number=1), pay(5000, 6000, number=2))
    coinbase, one, other = swapped.transactions
    root = merkle_root([coinbase.txid, one.txid, other.txid])
    refused(replace(swapped, transactions=(coinbase, other, one), root=root), "merkle root")


@pytest.mark.parametrize(("count", "repeated"), [(3, 1), (5, 1), (6, 2), (12, 4)])
def test_a_repeated_end_of_a_block_is_refused(count, repeated):
    block = build_block(*(pay(5000, 6000, number=n) for n in range(1, count)))
    forged = block.transactions + block.transactions[-repeated:]
    raw = replace(block, transactions=forged, root=block.header[36:68])
    assert raw.hash == block.hash
    refused(raw, "CVE-2012-2459")


# Coinbase.


def test_a_block_must_begin_with_a_coinbase():
    refused(Block(100, (pay(5000, 6000),)), "first transaction is not a coinbase")


@pytest.mark.parametrize(
    "inputs",
    [
        (Input(NULL_HASH, 0, height_push(100)),),
        (Input(NULL_HASH, 0xFFFFFFFF, height_push(100)), Input()),
        (Input(some_txid(1), 0xFFFFFFFF, height_push(100)),),
    ],
)
def test_what_looks_like_a_coinbase_but_spends_something_is_refused(inputs):
    refused(Block(100, (Transaction(inputs),)), "first transaction is not a coinbase")


def test_a_first_transaction_without_inputs_is_refused():
    nothing = Transaction((), (Output(1),), force_segwit=True)
    refused(Block(100, (nothing,)), "first transaction is not a coinbase")


HEIGHTS = [*range(1, 18), 127, 128, 255, 256, 32_767, 32_768, 65_536, 840_000, 8_388_608]


@pytest.mark.parametrize("height", HEIGHTS)
def test_a_coinbase_of_its_height_passes_and_of_another_is_refused(height):
    block = build_block(height=height)
    assert block.scan().height == height
    for other in {height + 1, height - 1, height + 256, height + 65_536} - {0}:
        refused(block, f"does not begin with height {other} ", height=other)


@pytest.mark.parametrize("height", [1, 16])
def test_a_small_height_as_a_number_with_a_length_is_refused(height):
    coinbase = build_coinbase(height, script=bytes([1, height]) + b"extra")
    refused(with_coinbase(coinbase, height=height), "BIP34")


@pytest.mark.parametrize("height", [17, 127, 32_767])
def test_a_height_with_a_needless_zero_byte_is_refused(height):
    push = height_push(height)
    padded = bytes([push[0] + 1]) + push[1:] + b"\x00"
    refused(with_coinbase(build_coinbase(height, script=padded), height=height), "BIP34")


def test_a_height_cut_by_the_end_of_the_script_is_refused():
    refused(with_coinbase(build_coinbase(100, script=height_push(70_000)[:3])), "BIP34")


def test_before_bip34_a_coinbase_may_begin_with_anything():
    block = with_coinbase(build_coinbase(100, script=b"The Times"))
    assert block.scan(network=replace(REGTEST, bip34_height=101)).height == 100
    refused(block, "BIP34", network=replace(REGTEST, bip34_height=100))


# Witnesses.


def test_a_changed_witness_byte_is_refused_though_the_merkle_root_holds():
    block = segwit_block()
    at = block.raw.index(b"sigsig")
    raw = block.raw[:at] + b"S" + block.raw[at + 1 :]
    with pytest.raises(BlockCorrupt, match="witness commitment is not that of its witnesses"):
        scan_block(raw, expected_hash=block.hash, height=100, network=REGTEST)


@pytest.mark.parametrize("network", [AT_SEGWIT, replace(REGTEST, segwit_height=99), REGTEST])
def test_a_block_stripped_of_all_witnesses_is_refused(network):
    block = segwit_block()
    forged = replace(block, transactions=tuple(map(stripped, block.transactions)))
    assert forged.hash == block.hash
    refused(forged, "reserved value", network=network)


@pytest.mark.parametrize("network", [AT_SEGWIT, BEFORE_SEGWIT])
def test_a_block_stripped_of_witnesses_but_the_coinbases_is_refused(network):
    block = segwit_block()
    coinbase, *others = block.transactions
    forged = replace(block, transactions=(coinbase, *map(stripped, others)))
    refused(forged, "witness commitment is not that", network=network)


@pytest.mark.parametrize("network", [AT_SEGWIT, BEFORE_SEGWIT])
def test_a_block_stripped_of_one_witness_is_refused(network):
    block = segwit_block()
    *others, last = block.transactions
    forged = replace(block, transactions=(*others, stripped(last)))
    refused(forged, "witness commitment is not that", network=network)


def test_before_segwit_a_commitment_without_witnesses_binds_nothing():
    coinbase = build_coinbase(100, commitment=some_txid(1), reserved=())
    block = with_coinbase(coinbase, pay(5000, 6000))
    assert block.scan(network=BEFORE_SEGWIT).tx_count == 2
    refused(block, "reserved value", network=AT_SEGWIT)


def test_a_commitment_of_a_block_without_other_witnesses_is_checked():
    others = (pay(5000, 6000),)
    right = build_coinbase(100, commitment=witness_commitment(others))
    assert with_coinbase(right, *others).scan().tx_count == 2
    wrong = build_coinbase(100, commitment=some_txid(1))
    refused(with_coinbase(wrong, *others), "witness commitment is not that")


@pytest.mark.parametrize("network", [AT_SEGWIT, BEFORE_SEGWIT])
def test_witnesses_without_a_commitment_are_refused(network):
    block = with_coinbase(build_coinbase(100), segwit_pay(1, 5000, 6000))
    refused(block, "witnesses but no commitment", network=network)


def test_a_block_without_witnesses_needs_no_commitment():
    assert with_coinbase(build_coinbase(100), pay(5000, 6000)).scan().tx_count == 2


@pytest.mark.parametrize(
    "reserved",
    [(), (b"",), (bytes(31),), (bytes(33),), (bytes(32), b""), (b"", bytes(32)), (bytes(32),) * 2],
)
def test_a_reserved_value_that_isnt_one_item_of_32_bytes_is_refused(reserved):
    others = (segwit_pay(1, 5000, 6000),)
    commitment = witness_commitment(others)
    coinbase = build_coinbase(100, commitment=commitment, reserved=reserved)
    refused(with_coinbase(coinbase, *others), "reserved value of 32 bytes")


def test_the_reserved_value_may_be_any_32_bytes():
    others = (segwit_pay(1, 5000, 6000),)
    commitment = witness_commitment(others, some_txid(9))
    coinbase = build_coinbase(100, commitment=commitment, reserved=(some_txid(9),))
    assert with_coinbase(coinbase, *others).scan().tx_count == 2
    other = build_coinbase(100, commitment=commitment, reserved=(some_txid(8),))
    refused(with_coinbase(other, *others), "witness commitment is not that")


def test_the_last_matching_output_is_the_commitment():
    others = (segwit_pay(1, 5000, 6000),)
    right = witness_commitment(others)
    early = Output(0, COMMITMENT_PREFIX + some_txid(1))
    last_right = build_coinbase(100, commitment=right, outputs=(Output(1), early))
    assert with_coinbase(last_right, *others).scan().tx_count == 2
    early = Output(0, COMMITMENT_PREFIX + right)
    last_wrong = build_coinbase(100, commitment=some_txid(1), outputs=(Output(1), early))
    refused(with_coinbase(last_wrong, *others), "witness commitment is not that")


def test_an_output_that_is_too_short_or_begins_otherwise_is_no_commitment():
    others = (segwit_pay(1, 5000, 6000),)
    right = witness_commitment(others)
    coinbase = build_coinbase(100, commitment=right)
    decoys = (
        Output(0, COMMITMENT_PREFIX + right[:31]),
        Output(0, b"\x6a\x24\xaa\x21\xa9\xee" + right),
        Output(0, b"\x51" + COMMITMENT_PREFIX + right),
    )
    block = with_coinbase(replace(coinbase, outputs=coinbase.outputs + decoys), *others)
    assert block.scan().tx_count == 2


def test_bytes_behind_a_commitment_do_not_matter():
    others = (segwit_pay(1, 5000, 6000),)
    coinbase = build_coinbase(100, commitment=witness_commitment(others) + b"more")
    assert with_coinbase(coinbase, *others).scan().tx_count == 2


def test_a_header_mined_anew_for_a_forged_body_has_another_hash():
    block = segwit_block()
    forged = replace(block, time=block.time + 1)
    assert forged.header == mined(forged.header[:76])
    refused(forged, "its header hashes to", expected_hash=block.hash)
