"""What the command adds to the job: options, standard output, signals."""

import json
import os
import signal
import subprocess
import sys

import click
import duckdb
import pytest
from falcon import HTTPBadRequest, Request
from falcon.testing import create_environ

from tests.appliance import Appliance
from tests.unit.store.samples import day_row, window_row
from utxoracle.api.parameters import moment
from utxoracle.bitcoin.network import REGTEST
from utxoracle.cli.export import export_command
from utxoracle.store.database import Database
from utxoracle.store.exports import DATASETS
from utxoracle.store.rows import Batch
from utxoracle.store.snapshot import publish

ROWS = 600
"""More than a pipe holds."""


@pytest.fixture
def filled(folder):
    """A data folder with prices, in the folder that commands are run in."""
    with Database.open(folder, REGTEST) as database:
        windows = [window_row(height) for height in range(ROWS)]
        database.commit(Batch(None, [], windows, [day_row(0, last_height=143)], None))
    publish(folder)
    return folder


@pytest.fixture
def export(utxoracle, filled):
    """Run the command, which must succeed, and give what it writes to standard output."""

    def run(*arguments, **settings):
        done = utxoracle("export", "--data-dir", "data", *arguments, **settings)
        assert done.returncode == 0, done.stderr
        assert done.stderr == ""
        return done.stdout

    return run


@pytest.fixture
def refuse(refused, filled):
    def run(exit_code, *arguments):
        return refused(exit_code, "export", "--data-dir", "data", *arguments)

    return run


def test_without_options_all_window_prices_go_to_standard_output_as_csv(export, tmp_path):
    text = export()
    assert len(text.splitlines()) == 1 + ROWS
    assert text == export("-o", "-", "--format", "csv") == export("-o", "/dev/stdout")
    assert text == export(TZ="America/New_York")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data"]


def test_other_rows_formats_and_ranges_can_be_asked_for(export):
    (day,) = json.loads(export("--what", "daily", "--format", "json"))
    assert day["date"] == "2025-11-22"
    assert export("--what", "predecessor", "--format", "jsonl") == ""
    lines = export("--format=jsonl", "--from=2025-11-23", "--to=2025-11-23T02:00:00+01:00")
    assert [json.loads(line)["height"] for line in lines.splitlines()] == [*range(144, 150)]
    assert [*DATASETS] == ["prices", "daily", "predecessor"]


@pytest.mark.parametrize(
    ("name", "first"),
    [
        ("x.csv", b"height,hash"),
        ("X.CSV", b"height,hash"),
        ("x.json", b'[\n{"height":0,'),
        ("x.jsonl", b'{"height":0,'),
        ("x.ndjson", b'{"height":0,'),
        ("x.parquet", b"PAR1"),
    ],
)
def test_the_ending_tells_the_format(export, tmp_path, name, first):
    assert export("-o", name).startswith(f"wrote {ROWS} rows to {name} (")
    assert (tmp_path / name).read_bytes().startswith(first)


@pytest.mark.parametrize(
    "arguments", [["-o", "out/"], ["-o", "out", "--format", "parquet"], ["-o", "there"]]
)
def test_a_folder_gets_a_parquet_file_for_each_year(export, tmp_path, arguments):
    (tmp_path / "there").mkdir()
    assert export(*arguments).startswith(f"wrote {ROWS} rows to {arguments[1]} (")
    (file,) = tmp_path.glob("*/year=2025/*")
    assert file.name == "utxoracle_prices.parquet"


def test_parquet_goes_through_a_pipe(utxoracle, filled, tmp_path):
    command = [sys.executable, "-m", "utxoracle", "export", "--data-dir", "data"]
    with (tmp_path / "piped").open("wb") as file:
        subprocess.run([*command, "--format", "parquet"], stdout=file, check=True, cwd=tmp_path)
    count = f"SELECT count(*) FROM read_parquet('{tmp_path / 'piped'}')"
    assert duckdb.sql(count).fetchall() == [(ROWS,)]


def test_a_reader_that_goes_away_is_no_failure(filled, tmp_path):
    command = [sys.executable, "-m", "utxoracle", "export", "--data-dir", "data"]
    with subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout.readline().startswith(b"height,")
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(60) == 0


def test_a_closed_standard_output_is_one_line(filled, tmp_path):
    command = f"exec {sys.executable} -m utxoracle export --data-dir data >&-"
    done = subprocess.run(
        command, shell=True, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 5
    assert done.stderr == "utxoracle: standard output is closed: name a file with -o\n"


def test_parquet_is_not_written_to_a_terminal(filled, tmp_path):
    leader, follower = os.openpty()
    command = [sys.executable, "-m", "utxoracle", "export", "--data-dir", "data"]
    try:
        done = subprocess.run(
            [*command, "--format", "parquet"],
            cwd=tmp_path, stdout=follower, stderr=subprocess.PIPE, check=False, timeout=60,
        )  # fmt: skip
    finally:
        os.close(leader)
        os.close(follower)
    assert done.returncode == 2
    assert b"parquet is nothing to be read on a terminal" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-o", "x.csv.gz"], "the ending of x.csv.gz tells no format: give --format"),
        (["-o", "x"], "or for a folder x/"),
        (["-o", "out/", "--format", "csv"], "out/ is a folder, which only takes parquet"),
        (["-o", ""], "it is empty"),
        (["--from", "2026-01-01", "--to", "2026-01-01"], "--from must be a moment before --to"),
        (["--from", "2026-02-30"], "2026-01-31T12:00:00Z or 1769860800, not '2026-02-30'"),
        (["--what", "blocks"], "'blocks' is not one of"),
        (["-o", "data/x.csv"], "is the database's own folder"),
    ],
)
def test_what_makes_no_sense_is_refused(refuse, tmp_path, arguments, message):
    assert message in refuse(2, *arguments)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data"]


def test_a_pipe_by_a_name_is_left_alone(refuse, tmp_path):
    os.mkfifo(tmp_path / "x.csv")
    assert "x.csv is not a plain file; choose another name" in refuse(5, "-o", "x.csv")
    assert (tmp_path / "x.csv").is_fifo()


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-31", "2026-01-31T12:00", "2026-01-31 12:00:30", "2026-01-31T12:00:00Z",
        "2026-01-31T12:00:00-05:30", "1769860800", "0", "4294967296", "4294967297", "1969-12-31",
        "2106-02-08", "2026-02-30", "2026-01-31T24:01", "31.1.2026", "2026-1-31", "20260131",
        "-1", "", " ", "now", "2026-01-31T12:00:00.5Z", "\uff12026-01-31", "9" * 20,
    ],
)  # fmt: skip
def test_moments_are_those_of_the_api(text):
    request = Request(create_environ())
    request.params["from"] = text
    try:
        expected = moment(request, "from")
    except HTTPBadRequest:
        expected = None
    try:
        found = export_command.make_context("export", [f"--from={text}"]).params["start"]
    except click.BadParameter:
        found = None
    assert found == expected


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_a_killed_export_leaves_the_old_file(filled, tmp_path, ending):
    appliance = Appliance(filled.path, "")
    old = tmp_path / f"x.{ending}"
    old.write_text("old")
    with appliance.halted("os.rename .utxoracle.*", "export", "-o", str(old)) as pid:
        os.kill(pid, signal.SIGKILL)
    assert old.read_text() == "old"
    assert appliance.run("export", "-o", str(old)).returncode == 0
    assert old.read_text(errors="replace") != "old"


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_what_is_interrupted_leaves_nothing_behind(filled, tmp_path, sent):
    appliance = Appliance(filled.path, "")
    out = tmp_path / "out"
    out.mkdir()
    command = appliance.disturbed("halt", "os.rename .utxoracle.*", "export", "-o", f"{out}/x.csv")
    with subprocess.Popen(command, env=appliance.environment) as process:
        os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
        process.send_signal(sent)
        process.send_signal(signal.SIGCONT)
        assert process.wait(60) == 130
    assert not list(out.iterdir())


def test_a_former_export_stays_when_there_is_nothing_to_export(export, refuse, tmp_path):
    export("-o", "history/")
    before = sorted((tmp_path / "history").rglob("*"))
    told = refuse(5, "--from", "1999-01-01", "--to", "1999-02-01", "-o", "history/")
    assert "the former export in" in told
    assert sorted((tmp_path / "history").rglob("*")) == before


@pytest.mark.parametrize(("name", "form"), [("a.csv", "parquet"), ("a.json", "csv")])
def test_an_ending_that_says_something_else_than_the_format_is_refused(
    refuse, tmp_path, name, form
):
    assert "change one of them" in refuse(2, "-o", name, "--format", form)
    assert not (tmp_path / name).exists()


def test_lines_of_json_may_be_in_a_file_that_is_called_json(export, tmp_path):
    export("-o", "a.json", "--format", "jsonl")
    assert len((tmp_path / "a.json").read_text().splitlines()) == ROWS


def test_a_pipe_of_the_shell_is_one_line(refuse):
    reader, writer = os.pipe()
    try:
        assert "is not a plain file" in refuse(
            5, "-o", f"/proc/{os.getpid()}/fd/{writer}", "--format=csv"
        )
    finally:
        os.close(reader)
        os.close(writer)
