import pytest

from tests.conftest import another_user
from utxoracle.errors import StorageError
from utxoracle.jobs.migration.old_settings import NotUnderstood, expanded, read_env


def read(path, text):
    """Names and values of a .env file, and what isn't understood."""
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    remarks = []
    settings = read_env(path, remarks)
    return [(one.name, one.value) for one in settings], remarks


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("plain", "plain"),
        ("", ""),
        ("two words  ", "two words"),
        ("with # a comment", "with"),
        ("# a comment alone", ""),
        ("no#comment", "no#comment"),
        ("a=b=c", "a=b=c"),
        ('"double # quoted"', "double # quoted"),
        ('"double"   # comment', "double"),
        ("'single # ${quoted} \\n'", "single # ${quoted} \\n"),
        ("''", ""),
        (r'"a \"b\" \\ \n \t \$x"', 'a "b" \\ \n \t $x'),
        ("p&w!\"\\'", "p&w!\"\\'"),
        ("é₿", "é₿"),
        ("a$$b", "a$b"),
        ("${FIRST}/data", "1/data"),
        ("$FIRST", "1"),
        ('"${FIRST}"', "1"),
        ("${OTHER:-default}", "default"),
        ("${OTHER-}", ""),
        ("${FIRST:-default}", "1"),
        ("${EMPTY:-default}", "default"),
        ("${EMPTY-default}", ""),
        ("costs 5$", "costs 5$"),
        ("$(pwd)", "$(pwd)"),
    ],
)
def test_a_value_is_read_as_compose_reads_it(tmp_path, written, value):
    settings, remarks = read(tmp_path / ".env", f"FIRST=1\nEMPTY=\nNAME={written}\n")
    assert remarks == []
    assert settings[2:] == [("NAME", value)]


@pytest.mark.parametrize(
    "written",
    ['"open', "'open", '"a" b', "'a''b'", "${UNKNOWN}", "$UNKNOWN", "${FIRST:?no}", "${A:-${B}}"],
)
def test_a_value_that_is_not_understood_is_told_and_not_shown(tmp_path, written):
    settings, remarks = read(tmp_path / ".env", f"FIRST=1\nNAME=hunter2{written}")
    if written[0] in "\"'":
        settings, remarks = read(tmp_path / ".env", f"FIRST=1\nNAME={written}hunter2")
    assert settings == [("FIRST", "1")]
    (remark,) = remarks
    assert remark.startswith(f"{tmp_path.name}/.env line 2: the value of NAME is not understood: ")
    assert "hunter2" not in remark


def test_no_line_of_a_value_of_several_is_taken_for_another_setting(tmp_path):
    lines = ["KEY='-----BEGIN", "c2VjcmV0cw==", "hunter2=abc", "last='", "A=1", 'B="open', "C=3"]
    settings, remarks = read(tmp_path / ".env", "\n".join(lines))
    assert settings == [("A", "1"), ("C", "3")]
    assert [remark.partition(" is not")[0] for remark in remarks] == [
        f"{tmp_path.name}/.env line 1: the value of KEY",
        f"{tmp_path.name}/.env line 6: the value of B",
    ]


def test_lines_may_be_exported_indented_empty_and_end_as_on_windows(tmp_path):
    text = "\ufeff# first\r\n\r\nexport A=1\r\n  B = 2\r\n\tC='3'\r\n"
    assert read(tmp_path / ".env", text) == ([("A", "1"), ("B", "2"), ("C", "3")], [])


def test_lines_of_another_kind_are_told_and_not_shown(tmp_path):
    settings, remarks = read(tmp_path / ".env", "hunter2\nA=1\n=hunter2\n1A=2\n")
    assert settings == [("A", "1")]
    assert remarks == [
        f"{tmp_path.name}/.env line {number} is not understood: it isn't NAME=value"
        for number in (1, 3, 4)
    ]


@pytest.mark.parametrize("junk", [b"A=\xff\xfe", b"A=1\0B=2"])
def test_a_file_that_is_no_text_is_told(tmp_path, junk):
    path = tmp_path / ".env"
    assert read(path, junk) == ([], [f"{path} isn't a text in UTF-8: nothing is taken from it"])


def test_a_file_that_can_not_be_read_is_one_line(open_folder):
    path = open_folder / ".env"
    path.touch(0o600)
    with another_user(), pytest.raises(StorageError, match=f"can't read {path}: Permission"):
        read_env(path, [])


def test_a_value_refers_to_names_before_it_alone():
    with pytest.raises(NotUnderstood, match="LATER, which is not set"):
        expanded("${LATER}", {})
