import io
import json
import random
import subprocess
import sys
import zipfile

import numpy as np
import pytest

from tests.conftest import ordinary_user
from tests.unit.store.samples import hash_of, linked_block
from utxoracle.bitcoin.network import MAIN, REGTEST
from utxoracle.errors import StorageError
from utxoracle.store.folder import DataFolder
from utxoracle.store.scans import KEPT_SCANS, ScanCache

HEIGHT = 820_000


@pytest.fixture
def data(tmp_path):
    return DataFolder(tmp_path)


@pytest.fixture
def cache(data):
    return ScanCache(data, REGTEST)


@pytest.fixture
def path(data, cache):
    """The file of a stored block of few transactions."""
    cache.store(linked_block(HEIGHT, 20))
    return data.scans / f"{HEIGHT}_{hash_of(HEIGHT)[-8:]}.npz"


def load(cache):
    return cache.load(HEIGHT, hash_of(HEIGHT))


def are_equal(one, other):
    return one.__dict__.keys() == other.__dict__.keys() and all(
        np.array_equal(value, other.__dict__[name]) for name, value in one.__dict__.items()
    )


@pytest.mark.parametrize("tx_count", [1, 2, 20, 3000])
def test_a_block_that_was_stored_is_loaded(cache, tx_count):
    block = linked_block(HEIGHT, tx_count)
    cache.store(block)
    loaded = load(cache)
    assert are_equal(loaded, block)
    assert (loaded.txids.dtype, loaded.values.dtype, loaded.parents.dtype) == (
        np.uint64, np.int64, np.int64,
    )  # fmt: skip


def test_numpy_reads_the_file(cache, path):
    block = linked_block(HEIGHT, 20)
    with np.load(path) as file:
        assert np.array_equal(file["txids"], block.txids)
        assert np.array_equal(file["values"], block.values)
        assert np.array_equal(file["parents"], block.parents)


def test_files_are_readable_for_the_group_only(path):
    assert path.stat().st_mode & 0o777 == 0o640


def test_a_block_that_was_never_stored_is_missing(cache, path):
    assert cache.load(HEIGHT + 1, hash_of(HEIGHT + 1)) is None
    assert cache.load(HEIGHT, hash_of(HEIGHT + 1)) is None


def test_a_file_that_is_cut_short_anywhere_counts_as_missing(cache, path):
    whole = path.read_bytes()
    for twentieth in range(20):
        path.write_bytes(whole[: len(whole) * twentieth // 20])
        assert load(cache) is None
    path.write_bytes(whole[:-1])
    assert load(cache) is None


def test_a_flipped_byte_never_gives_another_block(cache, path):
    whole, block = path.read_bytes(), linked_block(HEIGHT, 20)
    draw = random.Random(1)
    missing = 0
    for position in range(0, len(whole), 3):
        damaged = bytearray(whole)
        damaged[position] ^= draw.randrange(1, 256)
        path.write_bytes(damaged)
        loaded = load(cache)
        # Some bytes of a zip file mean nothing, such as dates and modes.
        assert loaded is None or are_equal(loaded, block)
        missing += loaded is None
    assert missing > len(whole) / 6


def test_the_file_of_another_block_under_this_name_counts_as_missing(cache, data, path):
    cache.store(linked_block(HEIGHT + 1, 20))
    other = data.scans / f"{HEIGHT + 1}_{hash_of(HEIGHT + 1)[-8:]}.npz"
    other.replace(path)
    assert load(cache) is None


def test_the_whole_hash_must_be_the_same(cache, path):
    assert cache.load(HEIGHT, "0" * 56 + hash_of(HEIGHT)[-8:]) is None


def test_a_block_of_another_network_counts_as_missing(data, path):
    assert load(ScanCache(data, MAIN)) is None


def rewrite(path, change):
    """Make a sound zip file of what `change` makes of the members."""
    with zipfile.ZipFile(path) as file:
        members = {name: file.read(name) for name in file.namelist()}
    change(members)
    with zipfile.ZipFile(path, "w") as file:
        for name, content in members.items():
            file.writestr(name, content)


def npy(array):
    data = io.BytesIO()
    np.save(data, array)
    return data.getvalue()


BLOCK = linked_block(HEIGHT, 20)
ODD_ARRAYS = {
    "short txids": ("txids.npy", BLOCK.txids[:-1]),
    "signed txids": ("txids.npy", BLOCK.txids.astype(np.int64)),
    "small values": ("values.npy", BLOCK.values.astype(np.int32)),
    "float values": ("values.npy", BLOCK.values.astype(np.float64)),
    "flat values": ("values.npy", BLOCK.values.reshape(-1)),
    "turned values": ("values.npy", np.asfortranarray(BLOCK.values)),
    "big-endian values": ("values.npy", BLOCK.values.astype(">i8")),
    "many parents": ("parents.npy", np.arange(11, dtype=np.int32)),
    "wide parents": ("parents.npy", BLOCK.parents),
}


@pytest.mark.parametrize("kind", ODD_ARRAYS)
def test_an_array_of_another_form_counts_as_missing(cache, path, kind):
    name, array = ODD_ARRAYS[kind]
    rewrite(path, lambda members: members.update({name: npy(array)}))
    assert load(cache) is None


def test_an_array_of_the_right_form_is_taken(cache, path):
    rewrite(path, lambda members: members.update({"txids.npy": npy(BLOCK.txids + np.uint64(1))}))
    assert load(cache).txids[0] == BLOCK.txids[0] + np.uint64(1)


def test_data_behind_an_array_counts_as_missing(cache, path):
    rewrite(path, lambda members: members.update({"txids.npy": npy(BLOCK.txids) + bytes(8)}))
    assert load(cache) is None


@pytest.mark.parametrize("head", [b"", b"[]", b"{}", b"null", b'{"height": 820000}'])
def test_an_odd_head_counts_as_missing(cache, path, head):
    rewrite(path, lambda members: members.update({"block.json": head}))
    assert load(cache) is None


@pytest.mark.parametrize("name", ["prev_hash", "time", "size", "tx_count", "candidates"])
def test_a_missing_fact_counts_as_a_missing_block(cache, path, name):
    def without(members):
        head = json.loads(members["block.json"])
        del head[name]
        members["block.json"] = json.dumps(head).encode()

    rewrite(path, without)
    assert load(cache) is None


@pytest.mark.parametrize("name", ["block.json", "txids.npy", "values.npy", "parents.npy"])
def test_a_missing_member_counts_as_a_missing_block(cache, path, name):
    rewrite(path, lambda members: members.pop(name))
    assert load(cache) is None


def test_a_folder_in_place_of_the_file_counts_as_missing(cache, path):
    path.unlink()
    path.mkdir()
    assert load(cache) is None


def test_a_file_that_may_not_be_read_counts_as_missing(open_folder):
    cache = ScanCache(DataFolder(open_folder), REGTEST)
    cache.store(linked_block(HEIGHT, 20))
    for path in (open_folder / "scans").iterdir():
        path.chmod(0)
    with ordinary_user():
        assert load(cache) is None


def test_the_newest_are_kept(cache, data):
    newest = 1000
    for height in (newest - KEPT_SCANS, newest - KEPT_SCANS + 1, newest, newest + 1):
        cache.store(linked_block(height, 2))
    cache.prune(newest)
    heights = sorted(int(path.name.split("_")[0]) for path in data.scans.iterdir())
    assert heights == [newest - KEPT_SCANS + 1, newest]


def test_what_a_killed_run_left_goes_and_what_is_not_ours_stays(cache, data, path):
    foreign = ["notes.txt", ".hidden", "12.npz", "12_XXXXXXXX.npz", "x_01234567.npz"]
    for name in (".utxoracle.abc_1234", *foreign):
        (data.scans / name).touch()
    cache.prune(HEIGHT)
    assert {one.name for one in data.scans.iterdir()} == {path.name, *foreign}


def test_there_need_not_be_a_folder(cache, data):
    cache.prune(HEIGHT)
    assert load(cache) is None
    cache.store(linked_block(HEIGHT, 20))
    assert load(cache)


def test_a_full_disk_is_one_line_and_leaves_nothing(cache, data):
    code = (
        "import pathlib, resource, sys\n"
        "from tests.unit.store.samples import linked_block\n"
        "from utxoracle.bitcoin.network import REGTEST\n"
        "from utxoracle.store.folder import DataFolder\n"
        "from utxoracle.store.scans import ScanCache\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "ScanCache(DataFolder(pathlib.Path(sys.argv[1])), REGTEST).store(linked_block(7))\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, data.path], capture_output=True, text=True, check=False
    )
    assert run.stderr.splitlines()[-1].startswith("utxoracle.errors.StorageError: can't write")
    assert list(data.scans.iterdir()) == []


def test_a_folder_that_can_not_be_made_is_told(open_folder):
    cache = ScanCache(DataFolder(open_folder / "nowhere"), REGTEST)
    with pytest.raises(StorageError, match="can't make the folder"):
        cache.store(linked_block(HEIGHT, 20))
