import pytest

from tests.conftest import ordinary_user
from tests.real_blocks import MISSING, real_blocks
from utxoracle.errors import BlockCorrupt, BlockNotFound, SourceError, UsageError
from utxoracle.sources.files import FilesSource


@pytest.fixture
def folder(tmp_path, chain):
    for height in (800, 801, 805):
        (tmp_path / f"{height}.bin").write_bytes(chain.raw_block(height))
    return tmp_path


def test_blocks_are_found_by_height_and_by_hash(folder, chain):
    source = FilesSource(str(folder))
    assert source.name == f"files {folder}"
    assert source.tip() == (805, chain.hash_at(805))
    for height in (801, 800, 805):
        block_hash = source.hash_at(height)
        assert block_hash == chain.hash_at(height)
        assert source.header(block_hash) == chain.header(height)
        assert source.raw_block(block_hash) == chain.raw_block(height)
    source.close()


def test_a_block_is_found_by_hash_before_its_height_was_asked_for(folder, chain):
    assert FilesSource(str(folder)).raw_block(chain.hash_at(801)) == chain.raw_block(801)


def test_missing_heights_and_unknown_hashes_are_not_found(folder):
    source = FilesSource(str(folder))
    for height in (0, 802, 806, -1):
        with pytest.raises(BlockNotFound, match=f"has no file for block {height}$"):
            source.hash_at(height)
    for ask in (source.header, source.raw_block):
        with pytest.raises(BlockNotFound, match=f"has no file of block {'ab' * 32}"):
            ask("ab" * 32)


@pytest.mark.parametrize(
    "name",
    ["806.bin", "000806_626d6571.bin", "806-abc.bin", "806.main.bin", "806 (1).bin", "806_\n.bin"],
)
def test_a_name_is_the_height_and_what_is_set_apart_from_it(folder, chain, name):
    (folder / name).write_bytes(chain.raw_block(806))
    assert FilesSource(str(folder)).tip() == (806, chain.hash_at(806))


@pytest.mark.parametrize(
    "name",
    [
        "unk_0a1df145.bin",
        "807.dat",
        "807bin",
        "808x.bin",
        "808é.bin",
        "808٩.bin",
        "٨٠٩.bin",
        "index.csv",
        "-9.bin",
        ".bin",
        "806.BIN",
        "806.bin.part",
    ],
)
def test_any_other_name_is_ignored(folder, chain, name):
    (folder / name).write_bytes(chain.raw_block(806))
    assert FilesSource(str(folder)).tip()[0] == 805


def test_a_folder_that_is_called_like_a_block_is_ignored(folder):
    (folder / "900.bin").mkdir()
    assert FilesSource(str(folder)).tip()[0] == 805


def test_two_files_of_one_height_are_refused_by_name(folder, chain):
    (folder / "801_0123abcd.bin").write_bytes(chain.raw_block(801))
    with pytest.raises(UsageError, match=r"two files of block 801: 801.bin and 801_0123abcd.bin;"):
        FilesSource(str(folder))


def test_a_folder_that_is_missing_empty_or_a_file_is_a_usage_error(tmp_path):
    with pytest.raises(UsageError, match=r"there is no folder '.*/none'"):
        FilesSource(str(tmp_path / "none"))
    with pytest.raises(UsageError, match=r"has no block files: none is called <height>.bin"):
        FilesSource(str(tmp_path))
    (tmp_path / "5.bin").write_bytes(b"")
    with pytest.raises(UsageError, match="there is no folder"):
        FilesSource(str(tmp_path / "5.bin"))


def test_a_file_shorter_than_a_header_is_named(folder):
    (folder / "900.bin").write_bytes(bytes(79))
    with pytest.raises(BlockCorrupt, match=r"900.bin is not a block: .* only 79"):
        FilesSource(str(folder)).tip()


def test_a_file_that_changed_since_it_was_read_is_refused(folder, chain):
    source = FilesSource(str(folder))
    block_hash = source.hash_at(800)
    (folder / "800.bin").write_bytes(chain.raw_block(801))
    with pytest.raises(BlockCorrupt, match=f"header for block {block_hash} that hashes to"):
        source.header(block_hash)


def test_a_file_that_vanished_is_a_source_error_of_one_line(folder):
    source = FilesSource(str(folder))
    (folder / "805.bin").unlink()
    with pytest.raises(SourceError, match=r"805.bin can't be read: No such file or directory"):
        source.tip()


def test_a_huge_file_is_not_read_to_its_end(folder):
    with (folder / "900.bin").open("wb") as file:
        file.truncate(10**10)
    source = FilesSource(str(folder))
    assert len(source.raw_block(source.hash_at(900))) == 4_000_001


def test_a_file_without_permission_is_a_source_error(open_folder, chain):
    path = open_folder / "805.bin"
    path.write_bytes(chain.raw_block(805))
    path.chmod(0)
    with (
        ordinary_user(),
        pytest.raises(SourceError, match=r"805.bin can't be read: Permission denied"),
    ):
        FilesSource(str(open_folder)).tip()


def test_a_folder_without_permission_is_a_source_error(open_folder):
    open_folder.chmod(0)
    with ordinary_user(), pytest.raises(SourceError, match="can't be read: Permission denied"):
        FilesSource(str(open_folder))


def test_thousands_of_files_open_without_reading_them(tmp_path, chain):
    for height in range(1000):
        (tmp_path / f"{height}.bin").touch()
    (tmp_path / "1000.bin").write_bytes(chain.raw_block(800))
    source = FilesSource(str(tmp_path))
    assert source.tip() == (1000, chain.hash_at(800))
    assert source.raw_block(chain.hash_at(800)) == chain.raw_block(800)


def test_real_blocks_have_the_hashes_of_their_index():
    blocks = [block for block in real_blocks() if block.path.name[0].isdigit()]
    if not blocks:
        pytest.skip(MISSING)
    source = FilesSource(str(blocks[0].path.parent))
    assert source.tip()[0] == max(block.height for block in blocks)
    for block in blocks:
        assert source.hash_at(block.height) == block.hash
        assert len(source.header(block.hash)) == 80
