import csv
import subprocess
import sys

import pytest

from utxoracle.errors import StorageError
from utxoracle.simulation.chain import SimulatedChain
from utxoracle.simulation.options import SimulationOptions
from utxoracle.simulation.writer import write_chain

TINY = SimulationOptions(days=1, transactions=3, blocks_per_day=12)


@pytest.fixture(scope="module")
def chain():
    return SimulatedChain(TINY)


def test_every_block_is_written_with_an_index_of_true_prices(chain, tmp_path):
    calls = []
    folder = tmp_path / "new" / "chain"
    paths = write_chain(chain, folder, lambda done, total: calls.append((done, total)))
    heights = range(chain.first_height, chain.tip_height + 1)
    names = {f"{height}.bin" for height in heights} | {"index.csv"}
    assert {path.name for path in folder.iterdir()} == names
    assert {path.name for path in paths} == names
    assert calls[-1] == (len(heights), len(heights))
    with (folder / "index.csv").open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert [int(row["height"]) for row in rows] == list(heights)
    row = rows[-1]
    assert (folder / f"{row['height']}.bin").read_bytes() == chain.raw_block(chain.tip_height)
    assert row["hash"] == chain.hash_at(chain.tip_height)
    assert row["time"].startswith("2025-01-02T")
    assert row["time"].endswith("Z")
    assert float(row["price"]) == chain.price_at(chain.tip_height)
    assert int(row["size"]) == (folder / f"{row['height']}.bin").stat().st_size


KILLED = """
import os, sys
from pathlib import Path
from utxoracle.atomic import write_atomically
os.fsync = lambda _: os._exit(9)
write_atomically(Path(sys.argv[1]) / "850.bin", b"torn")
"""


def test_a_chain_written_in_part_is_completed(chain, tmp_path):
    write_chain(chain, tmp_path)
    (tmp_path / f"{chain.tip_height}.bin").unlink()
    (tmp_path / "index.csv").unlink()
    killed = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], check=False, timeout=30)
    assert killed.returncode == 9
    assert list(tmp_path.glob(".utxoracle.*"))
    write_chain(chain, tmp_path)
    assert (tmp_path / f"{chain.tip_height}.bin").exists()
    assert not list(tmp_path.glob(".utxoracle.*"))


def foreign_block(folder):
    write_chain(SimulatedChain(SimulationOptions(days=1, transactions=3, seed=2)), folder)


@pytest.mark.parametrize(
    "fill",
    [
        foreign_block,
        lambda folder: (folder / "801.bin").write_bytes(b"short"),
        lambda folder: (folder / "1.bin").write_bytes(bytes(200)),
        lambda folder: (folder / "letter.txt").write_text("dear"),
        lambda folder: (folder / "index.csv").write_text("name,age\n"),
        lambda folder: (folder / ".utxoracle.notes").write_text("half"),
        lambda folder: (folder / "sub").mkdir(),
    ],
)
def test_a_folder_that_holds_anything_else_is_refused_and_left_alone(chain, tmp_path, fill):
    fill(tmp_path)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(StorageError, match="which isn't of the chain to be written") as caught:
        write_chain(chain, tmp_path)
    assert "\n" not in str(caught.value)
    assert sorted(tmp_path.iterdir()) == before


def test_a_file_in_place_of_the_folder_is_refused(chain, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="can't be written"):
        write_chain(chain, tmp_path / "file")
