import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.builders import build_block
from utxoracle.settings import variable_of
from utxoracle.simulation.chain import SimulatedChain
from utxoracle.simulation.options import SimulationOptions
from utxoracle.simulation.server import SimulationServer

OPTIONS = "seed=3,days=1,transactions=40"
SOURCE = f"sim:{OPTIONS}"
KEYS = [
    "price", "price_usd", "label", "rough_price", "deviation", "confidence", "tx_count",
    "outputs", "points", "blocks", "first_height", "last_height", "day",
]  # fmt: skip


def test_json_holds_every_key_and_the_price_with_all_its_digits(utxoracle):
    done = utxoracle("price", "--source", SOURCE, "--json")
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert list(answer) == KEYS
    assert answer["day"] == "2025-01-01"
    assert answer["label"] == "UTXOracle Consensus Price"
    assert answer["price_usd"] == int(answer["price"]) != answer["price"]
    assert done.stdout.count("\n") == 1


def test_the_same_figures_are_shown_to_people(utxoracle):
    answer = json.loads(utxoracle("price", "--source", SOURCE, "--json").stdout)
    text = utxoracle("price", "--source", SOURCE).stdout
    assert text.startswith(f"${answer['price_usd']:,}  UTXOracle Consensus Price, 2025-01-01\n")
    for figure in (
        f"{answer['blocks']} ({answer['first_height']} to {answer['last_height']})",
        f"{answer['outputs']:,}",
        f"{answer['points']:,}",
        f"${answer['rough_price']:,}",
        f"${answer['deviation']:,.2f}",
        f"{answer['confidence']:.3f}",
    ):
        assert figure in text


def test_a_window_and_a_run_of_blocks_have_their_own_labels(utxoracle):
    window = json.loads(utxoracle("price", "--source", SOURCE, "--window", "--json").stdout)
    run = [str(window["first_height"]), "--to", str(window["last_height"])]
    same = json.loads(utxoracle("price", "--source", SOURCE, "--json", "--from", *run).stdout)
    assert window["label"] == "UTXOracle Block Window Price"
    assert same["label"] is None
    assert window["day"] is same["day"] is None
    assert window | {"label": None} == same


def test_every_source_gives_the_same_price(utxoracle, tmp_path):
    chain = SimulatedChain(SimulationOptions.parse(OPTIONS))
    made = utxoracle("simulate", "--seed=3", "--days=1", "--transactions=40", "-o", "blocks")
    assert made.returncode == 0, made.stderr
    with SimulationServer(chain) as server:
        sources = [
            SOURCE,
            f"files:{tmp_path / 'blocks'}",
            f"bitcoind+{server.url}",
            f"mempool+{server.url}",
        ]
        answers = {
            utxoracle("price", "--source", source, "--network", "regtest", "--json").stdout
            for source in sources
        }
    assert len(answers) == 1
    assert json.loads(answers.pop())["price"] > 0


def test_the_source_can_come_from_the_environment(utxoracle):
    done = utxoracle("price", "--window", "--json", UTXORACLE_SOURCE=SOURCE)
    assert json.loads(done.stdout)["blocks"] == 144


def test_without_a_source_the_line_shows_an_example(refused):
    assert "mempool+http://127.0.0.1:8999" in refused(2, "price")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--day", "yesterday"], "'yesterday' does not match the format"),
        (["--day", "2025-01-02"], "2025-01-02 isn't finished"),
        (["--day", "2024-01-02"], "has no block before 2024-01-02"),
        (["--window", "--selection", "v9.1"], "--selection chooses a day's blocks"),
        (["--from", "900"], "--from and --to go together"),
        (["--from", "900", "--to", "950", "--window"], "exclude each other"),
        (["--from", "950", "--to", "900"], "swap them"),
        (["--from", "-1", "--to", "900"], "-1 is not in the range"),
        (["--selection", "other"], "'other' is not one of"),
        (["--network", "main"], "a sim: source is a regtest chain"),
        (["--source", "ftp://somewhere"], "is not a source"),
        (["--source", "sim:days=none"], "must be a whole number"),
        (["--source", "files:nowhere"], "nowhere"),
        (["--colour"], "No such option"),
        (["more"], "unexpected extra argument"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_code_2(refused, arguments, message):
    assert message in refused(2, "price", "--source", SOURCE, *arguments)


@pytest.mark.parametrize("value", ["many", "-1"])
def test_a_wrong_setting_is_one_line_and_exit_code_2(refused, value):
    variable = variable_of("workers")
    assert variable in refused(2, "price", "--source", SOURCE, **{variable: value})


def test_an_unknown_network_in_the_environment_is_refused(refused):
    line = refused(2, "price", "--source", "files:.", UTXORACLE_NETWORK="mainnet")
    assert "main, test, testnet4, signet, regtest" in line


def test_a_password_on_the_command_line_is_refused_and_not_repeated(refused):
    line = refused(2, "price", "--source", "bitcoind+http://me:hush@127.0.0.1:8332")
    assert "UTXORACLE_RPC_PASSWORD_FILE" in line
    assert "hush" not in line


def test_an_unreachable_source_is_exit_code_3(refused):
    source = "mempool+http://127.0.0.1:9"
    line = refused(3, "price", "--source", source, UTXORACLE_RETRIES="0")
    assert "refused the connection" in line


def test_blocks_of_another_network_are_exit_code_4(refused, tmp_path):
    (tmp_path / "5.bin").write_bytes(build_block(height=5).raw)
    line = refused(4, "price", "--source", "files:.", "--from", "5", "--to", "5")
    assert "UTXORACLE_NETWORK" in line


def test_a_corrupt_block_is_exit_code_4_and_names_the_block(refused, tmp_path):
    block = build_block(height=5)
    (tmp_path / "5.bin").write_bytes(block.raw[:-1])
    line = refused(
        4, "price", "--source", "files:.", "--network", "regtest", "--from", "5", "--to", "5"
    )
    assert block.hash in line
    assert "ends too early" in line


def test_verbose_shows_where_it_failed(utxoracle):
    done = utxoracle("price", "--verbose", "--source", "ftp://somewhere")
    assert done.returncode == 2
    assert "Traceback" in done.stderr


def test_plot_writes_a_page_and_replaces_an_older_one(utxoracle, tmp_path):
    page = tmp_path / "day.html"
    page.write_text("old")
    done = utxoracle("plot", "--source", SOURCE, "-o", "day.html")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "wrote day.html\n"
    assert page.read_text().startswith("<!doctype html>")
    assert list(tmp_path.iterdir()) == [page]


def test_plot_into_a_missing_folder_is_exit_code_5(refused):
    line = refused(5, "plot", "--source", SOURCE, "-o", "nowhere/day.html")
    assert "nowhere/day.html" in line


@contextmanager
def scanning_in_processes():
    """Give a run at the moment when its processes are there: two that scan, one of Python's own."""
    source = "sim:days=1,transactions=800"
    with subprocess.Popen(
        [sys.executable, "-m", "utxoracle", "price", "--source", source],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env=os.environ | {"UTXORACLE_WORKERS": "2"},
    ) as process:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        while len(children.read_text().split()) < 3:
            assert process.poll() is None
            time.sleep(0.001)
        yield process


def wait_until_all_are_gone(group: int) -> None:
    deadline = time.monotonic() + 20
    with pytest.raises(ProcessLookupError):
        while time.monotonic() < deadline:
            os.killpg(group, 0)
            time.sleep(0.01)


@pytest.mark.parametrize("seconds", [0, 0.1, 0.3])
def test_ctrl_c_ends_it_with_one_line_and_leaves_no_process(seconds):
    with scanning_in_processes() as process:
        time.sleep(seconds)
        os.killpg(process.pid, signal.SIGINT)
        out, error = process.communicate(timeout=20)
    assert (process.returncode, out) == (130, "")
    assert error.split("\n") == ["", "utxoracle: interrupted", ""]
    wait_until_all_are_gone(process.pid)


@pytest.mark.parametrize("kind", [signal.SIGTERM, signal.SIGKILL])
def test_a_killed_run_leaves_no_process(kind):
    with scanning_in_processes() as process:
        process.send_signal(kind)
        process.communicate(timeout=20)
    assert process.returncode == -kind
    wait_until_all_are_gone(process.pid)


def test_ctrl_c_while_the_program_is_loaded_is_one_line():
    with subprocess.Popen(
        [sys.executable, "-X", "importtime", "-m", "utxoracle", "--help"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        for line in process.stderr:
            if "click" in line:
                process.send_signal(signal.SIGINT)
                break
        rest = [line for line in process.stderr if not line.startswith("import time:")]
    assert rest == ["utxoracle: interrupted\n"]
    assert process.returncode == 130


def test_output_that_nobody_reads_is_no_failure_and_a_full_disk_is(utxoracle):
    command = f"{sys.executable} -m utxoracle price --source {SOURCE}"
    closed = subprocess.run(
        ["bash", "-c", f"{command} | true; exit ${{PIPESTATUS[0]}}"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (closed.returncode, closed.stderr) == (0, "")
    full = subprocess.run(
        ["bash", "-c", f"{command} > /dev/full"], capture_output=True, text=True, check=False
    )
    assert full.returncode == 5
    assert full.stderr == "utxoracle: can't write the output: No space left on device\n"


def test_plot_follows_a_link_and_dash_is_standard_output(utxoracle, tmp_path):
    (tmp_path / "link.html").symlink_to("target.html")
    assert utxoracle("plot", "--source", SOURCE, "-o", "link.html").returncode == 0
    printed = utxoracle("plot", "--source", SOURCE, "-o", "-")
    assert printed.stdout == (tmp_path / "target.html").read_text()
    assert (tmp_path / "link.html").is_symlink()
    assert len(list(tmp_path.iterdir())) == 2


def test_a_closed_stderr_is_no_failure():
    command = f"{sys.executable} -m utxoracle price --source {SOURCE} 2>&-"
    done = subprocess.run(
        ["bash", "-c", command], stdout=subprocess.PIPE, text=True, check=False, timeout=120
    )
    assert done.returncode == 0
    assert "UTXOracle Consensus Price" in done.stdout
