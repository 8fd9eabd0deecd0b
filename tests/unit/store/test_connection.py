import os
from pathlib import Path

import duckdb
import pytest

from utxoracle.errors import StorageError
from utxoracle.store.connection import Connection


def remedy():
    return "use another one"


def test_what_stands_before_a_colon_is_a_part_of_the_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    name = Path("usb:file.db")
    for opened in (Connection.create, Connection.open, Connection.open_read_only):
        connection = opened(name, remedy)
        assert connection.query("SELECT 1") == [(1,)]
        connection.close()


@pytest.mark.parametrize("opened", [Connection.create, Connection.open, Connection.open_read_only])
def test_a_name_that_is_not_utf_8_is_one_line(tmp_path, opened):
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/a\xff.db"))
    with pytest.raises(StorageError, match=r"a\\udcff.db' can't be used, its name is not UTF-8"):
        opened(path, remedy)


def test_ctrl_c_ends_a_query(tmp_path):
    with duckdb.connect(str(tmp_path / "file.db")):
        pass
    connection = Connection.open(tmp_path / "file.db", remedy)
    connection._raw = Interrupted()
    with pytest.raises(KeyboardInterrupt):
        connection.query("SELECT 1")


class Interrupted:
    """What DuckDB raises when Ctrl-C comes in the midst of a query."""

    def execute(self, *_):
        raise RuntimeError("Query interrupted")
