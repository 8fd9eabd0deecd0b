import csv
import json
import re
import signal
import subprocess
import sys
import time
import urllib.request

import pytest

SMALL = ["--seed=3", "--days=1", "--transactions=5", "--blocks-per-day=24"]


def test_files_and_an_index_with_the_true_price_are_written(utxoracle, tmp_path):
    done = utxoracle("simulate", *SMALL, "-o", "blocks")
    assert done.returncode == 0, done.stderr
    with (tmp_path / "blocks" / "index.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert done.stdout == f"wrote {len(rows)} blocks and index.csv to blocks\n"
    assert {f"{row['height']}.bin" for row in rows} == {
        path.name for path in (tmp_path / "blocks").glob("*.bin")
    }
    assert all(50_000 < float(row["price"]) < 70_000 for row in rows)


def test_the_same_options_write_the_same_bytes(utxoracle, tmp_path):
    for folder in ("one", "two"):
        assert utxoracle("simulate", *SMALL, "-o", folder).returncode == 0
    one, two = (
        {path.name: path.read_bytes() for path in (tmp_path / folder).iterdir()}
        for folder in ("one", "two")
    )
    assert one == two


@pytest.mark.parametrize(
    ("exit_code", "arguments", "message"),
    [
        (2, [], "nothing to do"),
        (2, ["-o", "blocks", "--days", "0"], "simulation option days"),
        (2, ["-o", "blocks", "--price", "nan"], "simulation option price"),
        (2, ["--serve", "--port", "0", "--tip", "1"], "the tip can be moved to"),
        (2, ["--serve", "--port", "0", "--block-every", "1"], "give --tip"),
        (2, ["--serve", "--port", "70000"], "70000 is not in the range"),
        (2, ["--serve", "--host", "203.0.113.1"], "can't be listened on"),
        (5, ["-o", "/proc/blocks"], "/proc/blocks can't be written"),
    ],
)
def test_what_can_not_be_done_is_one_line(refused, exit_code, arguments, message):
    assert message in refused(exit_code, "simulate", *SMALL, *arguments)


def test_a_folder_that_holds_something_else_is_left_alone(refused, tmp_path):
    (tmp_path / "diary.txt").write_text("dear")
    assert "diary.txt" in refused(5, "simulate", *SMALL, "-o", ".")
    assert [path.name for path in tmp_path.iterdir()] == ["diary.txt"]


def tip_of(url: str) -> int:
    with urllib.request.urlopen(f"{url}/simulation/tip") as answer:
        return int(json.load(answer)["height"])


def test_a_served_chain_grows_block_by_block_and_ends_with_ctrl_c():
    command = [sys.executable, "-m", "utxoracle", "simulate", *SMALL, "--serve", "--port", "0"]
    with subprocess.Popen(
        [*command, "--tip", "810", "--block-every", "0.05"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        url = re.search(r"http://\S+", process.stdout.readline())[0]
        deadline = time.monotonic() + 20
        while tip_of(url) < 815:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=20) == 0
        assert process.stderr.read() == ""
