import pytest

from utxoracle.errors import UsageError
from utxoracle.sources.secret_file import first_line


def test_the_first_line_counts_without_the_blanks_round_it(tmp_path):
    path = tmp_path / "key"
    path.write_bytes(b"  k\xff y \r\nanother\n")
    assert first_line(path, "VARIABLE") == b"k\xff y"


@pytest.mark.parametrize("content", [b"", b" \n", b"\nkey\n"])
def test_an_empty_first_line_is_refused_by_the_name_of_its_setting(tmp_path, content):
    path = tmp_path / "key"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=r"key \(VARIABLE\) is empty"):
        first_line(path, "VARIABLE")


def test_a_file_that_can_not_be_read_is_told_with_the_reason(tmp_path):
    with pytest.raises(UsageError, match=r"\(VARIABLE\) can't be read: Is a directory"):
        first_line(tmp_path, "VARIABLE")


def test_a_line_that_is_too_long_is_refused_and_not_cut(tmp_path):
    path = tmp_path / "key"
    path.write_bytes(b"k" * 4096)
    assert first_line(path, "VARIABLE") == b"k" * 4096
    path.write_bytes(b"k" * 4097)
    with pytest.raises(UsageError, match=r"\(VARIABLE\) holds no such value: its first line"):
        first_line(path, "VARIABLE")
