import json
import shutil
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from utxoracle.jobs.migration.nix_text import definition, literal

TEXTS = [
    "",
    "plain",
    'a "quote"',
    "back\\slash",
    "${antiquoted}",
    "$${x}",
    "$$${x}",
    "\\${x}",
    "$",
    "$\\{",
    '$"{',
    "two\nlines\r\tand a tab",
    "''${x}''",
    "it's",
    "é ₿ 😀",
    "#no comment",
    "/* nor here */",
    "a\\",
]


def read(written):
    """What Nix makes of a text in quotes, by the rules of its manual."""
    assert written[0] == written[-1] == '"'
    found, rest = "", written[1:-1]
    while rest:
        assert not rest.startswith(("${", '"'))
        if rest.startswith("$$"):
            # Two of them stand for themselves, whatever follows.
            found, rest = found + "$$", rest[2:]
        elif rest[0] == "\\":
            found += {"n": "\n", "r": "\r", "t": "\t"}.get(rest[1], rest[1])
            rest = rest[2:]
        else:
            found, rest = found + rest[0], rest[1:]
    return found


def nix(*arguments, given):
    """What the real Nix says, without its store and its daemon."""
    if not shutil.which("nix-instantiate"):
        pytest.skip("nix-instantiate is not there")
    return subprocess.run(
        ["nix-instantiate", *arguments, "--store", "dummy://", "-"],
        input=given,
        capture_output=True,
        text=True,
        check=True,
    ).stdout


@pytest.mark.parametrize("text", TEXTS)
def test_a_text_is_read_back_as_it_was(text):
    assert read(literal(text)) == text


@given(st.text(st.characters(exclude_characters="\0", codec="utf-8")))
def test_any_text_is_read_back_as_it_was(text):
    assert read(literal(text)) == text


def test_nix_reads_texts_back_as_they_were():
    expression = f"[ {' '.join(map(literal, TEXTS))} ]"
    assert json.loads(nix("--eval", "--strict", "--json", given=expression)) == TEXTS


def test_nix_reads_numbers_back_as_they_were():
    numbers = [0, 7, 20000, 0.4, 0.00001, 2.0, 123.75, True, False]
    expression = f"[ {' '.join(map(literal, numbers))} ]"
    assert json.loads(nix("--eval", "--strict", "--json", given=expression)) == numbers


def test_a_zero_byte_is_refused():
    with pytest.raises(ValueError, match="zero byte"):
        literal("a\0b")


def test_lone_options_stand_in_one_line_and_others_in_sets():
    options = {
        ("enable",): True,
        ("storage", "base"): "/mnt",
        ("mempool", "db", "uid"): 1000,
        ("mempool", "settings", "A"): "1",
        ("mempool", "settings", "B"): "2",
        ("api", "tls", "port"): 1,
        ("api", "tls", "host"): "h",
    }
    assert (
        definition("services.utxoracle", options)
        == """\
services.utxoracle = {
  enable = true;
  storage.base = "/mnt";
  mempool = {
    db.uid = 1000;
    settings = {
      A = "1";
      B = "2";
    };
  };
  api.tls = {
    port = 1;
    host = "h";
  };
};
"""
    )


def test_nix_takes_it_with_names_that_need_quotes():
    text = definition("a", {("x", "with"): 1, ("x", "b c"): 2, ("x", "1"): 3, ("x", "or"): 4})
    found = json.loads(nix("--eval", "--strict", "--json", given=f"{{ {text} }}"))
    assert found == {"a": {"x": {"with": 1, "b c": 2, "1": 3, "or": 4}}}


def test_an_option_can_not_have_a_value_and_options_below_it():
    with pytest.raises(ValueError, match="of its own"):
        definition("a", {("x",): 1, ("x", "y"): 2})
