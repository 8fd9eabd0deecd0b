import csv
import io
import json
import os
import shutil
import subprocess
from dataclasses import replace
from datetime import date

import duckdb
import pytest

from tests.conftest import another_user, small_disk
from tests.unit.store.samples import (
    EVER,
    FIRST_DAY,
    NO_EXCHANGE,
    NO_PRICE,
    block_row,
    day_row,
    facts,
    window_row,
)
from utxoracle.bitcoin.network import REGTEST
from utxoracle.cli.rows import day_as_json, window_as_json
from utxoracle.errors import StorageError, UsageError
from utxoracle.jobs.export import CSV, FORMATS, JSON, JSON_LINES, PARQUET, Wanted, export
from utxoracle.settings import Settings
from utxoracle.sources.days import midnight
from utxoracle.store.database import Database
from utxoracle.store.exports import DAILY, PRICES
from utxoracle.store.folder import DataFolder
from utxoracle.store.rows import Batch
from utxoracle.store.snapshot import publish

ODD = 'it says "no",\r\nünïcode ₿ \U0001f7e0 \\n \t; and\nends'
"""A reason with all that a format could trip over, more than can be stored."""

YEARS_APART = 60_000
"""Heights, of 600 seconds each: a year and two months."""

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount")


def windows():
    """Prices of three years: some are missing, not valid, or of odd numbers."""
    rows = [window_row(height + years * YEARS_APART) for years in range(3) for height in range(4)]
    rows[1] = replace(rows[1], facts=replace(NO_PRICE, invalid_reason=ODD), diverges=None)
    rows[2] = replace(rows[2], exchange=NO_EXCHANGE, diverges=None)
    rows[3] = replace(rows[3], facts=facts(5e-324))
    rows[4] = replace(rows[4], facts=facts(1.2345678901234567e22))
    rows[5] = replace(rows[5], facts=replace(facts(0.1 + 0.2), is_valid=False))
    return rows


def days():
    return [day_row(number, last_height=1000 + number) for number in (0, 1, 60)]


def store(folder, windows=(), days=()):
    with Database.open(folder, REGTEST) as database:
        database.commit(Batch(None, [], windows, days, None))
    publish(folder)


@pytest.fixture
def filled(folder):
    store(folder, windows(), days())
    with duckdb.connect(str(folder.database)) as connection:
        connection.execute(
            "UPDATE window_prices SET invalid_reason = ? WHERE invalid_reason IS NOT NULL", [ODD]
        )
    publish(folder)
    return folder


@pytest.fixture
def disk(tmp_path):
    """A disk of 64 kB, which some thousand rows fill."""
    with small_disk(tmp_path / "disk", "64k") as disk:
        yield disk


def ignore(done, total):
    pass


def run(folder, output, form, *, dataset=PRICES, span=EVER, progress=ignore, by_year=False):
    settings = Settings(data_dir=folder.path)
    return export(settings, Wanted(dataset, *span), form, output, progress, by_year=by_year)


def written(folder, form, **options):
    stream = io.BytesIO()
    run(folder, stream, form, **options)
    return stream.getvalue()


def csv_rows(folder, **options):
    return list(csv.DictReader(io.StringIO(written(folder, CSV, **options).decode(), newline="")))


def typed_rows():
    """The rows as a program that knows types reads them; times are text."""
    return [window_as_json(row) for row in windows()]


def in_order(rows):
    return [{name: row[name] for name in sorted(row)} for row in rows]


def files_in(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_json_and_its_lines_hold_what_is_stored(filled):
    assert json.loads(written(filled, JSON)) == typed_rows()
    lines = written(filled, JSON_LINES).decode().splitlines()
    assert [json.loads(line) for line in lines] == typed_rows()
    assert json.loads(written(filled, JSON, dataset=DAILY)) == [day_as_json(row) for row in days()]


def test_csv_holds_what_is_stored(filled):
    found = csv_rows(filled)
    assert len(found) == len(windows())
    for texts, row in zip(found, typed_rows(), strict=True):
        assert list(texts) == list(PRICES.types)
        for name, value in row.items():
            if isinstance(value, bool):
                assert texts[name] == str(value).lower()
            elif isinstance(value, float):
                assert float(texts[name]) == value
            else:
                assert texts[name] == ("" if value is None else str(value))


def test_csv_is_that_of_rfc_4180(filled):
    text = written(filled, CSV, span=(0, windows()[1].time)).decode()
    assert text == (
        "height,hash,time,price,rough_price,deviation,tx_count,outputs,points,confidence,is_valid,"
        "invalid_reason,algorithm,exchange_price,exchange_time,exchange_reason,diverges\r\n"
        f"0,{block_row(0).hash},2025-11-22T00:00:00Z,60000.333333333336,60012,"
        "0.30000000000000004,110000,210000,190000,0.6666666666666666,true,,v9.1,60100.0,"
        "2025-11-22T00:00:00Z,,false\r\n"
    )


def from_parquet(path):
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        rows = connection.execute(
            "SELECT * REPLACE (strftime(time, '%Y-%m-%dT%H:%M:%SZ') AS time, "
            "strftime(exchange_time, '%Y-%m-%dT%H:%M:%SZ') AS exchange_time) "
            f"FROM read_parquet('{path}', hive_partitioning = false) ORDER BY time"
        )
        names = [column[0] for column in rows.description]
        return [dict(zip(names, row, strict=True)) for row in rows.fetchall()]


def test_parquet_holds_what_is_stored_in_a_file_a_stream_and_a_folder(filled, tmp_path):
    file, folder = tmp_path / "file.parquet", tmp_path / "folder"
    assert run(filled, file, PARQUET).rows == len(windows())
    assert run(filled, folder, PARQUET, by_year=True).rows == len(windows())
    assert from_parquet(file) == typed_rows()
    assert from_parquet(f"{folder}/*/*.parquet") == typed_rows()
    assert written(filled, PARQUET) == file.read_bytes()
    assert not list(tmp_path.glob(".*"))


def test_duckdb_reads_csv_and_json(filled, tmp_path):
    for form, reader in (CSV, "read_csv"), (JSON, "read_json"), (JSON_LINES, "read_json"):
        run(filled, tmp_path / form, form)
        with duckdb.connect() as connection:
            found = connection.execute(
                f"SELECT height, price, is_valid, invalid_reason, epoch(time) "
                f"FROM {reader}('{tmp_path / form}') ORDER BY height"
            ).fetchall()
        assert found == [
            (row.height, row.facts.price, row.facts.is_valid, row.facts.invalid_reason, row.time)
            for row in windows()
        ]


def test_pandas_reads_every_format(filled, tmp_path):
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    run(filled, tmp_path / "file.parquet", PARQUET)
    run(filled, tmp_path / "folder", PARQUET, by_year=True)
    frames = [
        pandas.read_csv(io.BytesIO(written(filled, CSV)), parse_dates=["time"]),
        pandas.read_json(io.BytesIO(written(filled, JSON))),
        pandas.read_parquet(tmp_path / "file.parquet"),
        pandas.read_parquet(tmp_path / "folder"),
    ]
    frames[1]["time"] = pandas.to_datetime(frames[1]["time"])
    assert str(frames[2]["time"].dt.tz) == "UTC"
    assert frames[3]["year"].astype(int).tolist() == frames[3]["time"].dt.year.tolist()
    for frame in frames[:1] + frames[2:]:
        assert frame["price"].dropna().tolist() == [
            row.facts.price for row in windows() if row.facts.price is not None
        ]
    for frame in frames:
        assert frame["height"].tolist() == [row.height for row in windows()]
        assert [int(time.timestamp()) for time in frame["time"]] == [row.time for row in windows()]
        assert frame["is_valid"].tolist() == [row.facts.is_valid for row in windows()]
        assert frame["invalid_reason"][1] == ODD


def test_polars_reads_every_format(filled, tmp_path):
    polars = pytest.importorskip("polars")
    run(filled, tmp_path / "file.parquet", PARQUET)
    run(filled, tmp_path / "folder", PARQUET, by_year=True)
    frames = [
        polars.read_csv(written(filled, CSV), try_parse_dates=True),
        polars.read_ndjson(written(filled, JSON_LINES)),
        polars.read_parquet(tmp_path / "file.parquet"),
        polars.read_parquet(tmp_path / "folder" / "**" / "*.parquet", hive_partitioning=True),
    ]
    assert frames[2].schema["time"] == polars.Datetime("us", "UTC")
    for frame in frames:
        assert frame["height"].to_list() == [row.height for row in windows()]
        assert frame["price"].to_list() == [row.facts.price for row in windows()]
        assert frame["is_valid"].to_list() == [row.facts.is_valid for row in windows()]
        assert frame["invalid_reason"].to_list() == [row.facts.invalid_reason for row in windows()]


@pytest.mark.parametrize("stored", [(), windows()], ids=["nothing stored", "nothing in range"])
def test_without_rows_there_is_a_valid_file(folder, tmp_path, stored):
    store(folder, stored)
    span = (0, 1000)
    assert written(folder, JSON, span=span) == b"[]\n"
    assert written(folder, JSON_LINES, span=span) == b""
    assert written(folder, CSV, span=span).decode().split(",")[0] == "height"
    assert csv_rows(folder, span=span) == []
    assert run(folder, tmp_path / "file.parquet", PARQUET, span=span).rows == 0
    assert from_parquet(tmp_path / "file.parquet") == []
    assert run(folder, tmp_path / "folder", PARQUET, span=span, by_year=True).files == ()


def test_a_folder_is_partitioned_by_utc_year(filled, tmp_path):
    done = run(filled, tmp_path / "out", PARQUET, by_year=True)
    assert files_in(tmp_path / "out") == [
        f"year={year}/utxoracle_prices.parquet" for year in (2025, 2027, 2028)
    ]
    assert [*map(str, done.files)] == [
        str(tmp_path / "out" / name) for name in files_in(tmp_path / "out")
    ]
    heights = [row["height"] for row in from_parquet(done.files[1])]
    assert heights == [row.height for row in windows()[4:8]]


def test_years_that_did_not_change_are_left_untouched(filled, tmp_path):
    def marks():
        return {path: path.stat().st_ino for path in files}

    files = run(filled, tmp_path / "out", PARQUET, by_year=True).files
    before = marks()
    run(filled, tmp_path / "out", PARQUET, by_year=True)
    assert marks() == before
    store(filled, [window_row(2 * YEARS_APART + 4)])
    run(filled, tmp_path / "out", PARQUET, by_year=True)
    assert [path for path in files if marks()[path] != before[path]] == [files[2]]


def test_years_of_a_former_export_go_when_no_row_of_theirs_is_wanted(filled, tmp_path):
    out = tmp_path / "out"
    files = run(filled, out, PARQUET, by_year=True).files
    (files[0].parent / "notes.txt").write_text("mine")
    run(filled, out, PARQUET, by_year=True, span=(windows()[9].time, EVER[1]))
    assert files_in(out) == ["year=2025/notes.txt", "year=2028/utxoracle_prices.parquet"]
    assert sorted(path.name for path in out.iterdir()) == ["year=2025", "year=2028"]
    assert len(from_parquet(files[2])) == 3


@pytest.mark.parametrize(
    "name", ["other.parquet", "year=2025/other.parquet", "data/utxoracle_prices.parquet"]
)
def test_a_folder_with_files_of_something_else_is_refused_and_left_alone(filled, tmp_path, name):
    other = tmp_path / "out" / name
    other.parent.mkdir(parents=True)
    other.write_text("other")
    with pytest.raises(StorageError, match=f"holds {name}, which is of something else"):
        run(filled, tmp_path / "out", PARQUET, by_year=True)
    assert files_in(tmp_path / "out") == [name]


@pytest.mark.parametrize("by_year", [False, True])
def test_a_range_ends_within_a_year(filled, tmp_path, by_year):
    span = (windows()[2].time, windows()[9].time)
    done = run(filled, tmp_path / "rows", PARQUET, by_year=by_year, span=span)
    found = [row for path in done.files for row in from_parquet(path)]
    assert found == typed_rows()[2:9]
    assert done.rows == 7


def test_two_datasets_are_not_mixed_in_a_folder(filled, tmp_path):
    run(filled, tmp_path / "out", PARQUET, by_year=True)
    with pytest.raises(StorageError, match="of something else"):
        run(filled, tmp_path / "out", PARQUET, by_year=True, dataset=DAILY)


def test_days_are_in_the_year_of_their_noon(filled, tmp_path):
    done = run(filled, tmp_path / "out", PARQUET, by_year=True, dataset=DAILY)
    assert [path.parent.name for path in done.files] == ["year=2025", "year=2026"]
    span = (midnight(FIRST_DAY), midnight(date(2025, 11, 23)))
    assert [row["date"] for row in csv_rows(filled, dataset=DAILY, span=span)] == ["2025-11-22"]


@pytest.mark.parametrize("form", FORMATS)
def test_an_export_is_of_one_state_also_when_another_is_published_meanwhile(filled, tmp_path, form):
    def publish_others(done, total):
        seen.append((done, total))
        store(filled, [window_row(2 * YEARS_APART + 10 + done)])

    seen = []
    before = written(filled, form)
    run(filled, tmp_path / "file", form, progress=publish_others)
    assert (tmp_path / "file").read_bytes() == before
    assert written(filled, form) != before
    assert seen == [(4, 12), (8, 12), (12, 12)]


def test_a_folder_is_of_one_state_too(filled, tmp_path):
    def publish_others(done, total):
        store(filled, [window_row(2 * YEARS_APART + 10 + done)])

    run(filled, tmp_path / "out", PARQUET, by_year=True, progress=publish_others)
    assert from_parquet(f"{tmp_path}/out/*/*.parquet") == typed_rows()


@pytest.mark.parametrize("form", FORMATS)
def test_what_ends_an_export_leaves_the_old_file_and_nothing_else(filled, tmp_path, form):
    def interrupt(done, total):
        raise KeyboardInterrupt

    out = tmp_path / "out"
    out.mkdir()
    (out / "file").write_text("old")
    with pytest.raises(KeyboardInterrupt):
        run(filled, out / "file", form, progress=interrupt)
    assert (out / "file").read_text() == "old"
    assert files_in(out) == ["file"]


@as_root
@pytest.mark.parametrize("form", FORMATS)
def test_a_full_disk_is_one_line_that_names_the_file(folder, disk, form):
    store(folder, [window_row(height) for height in range(4000)])
    with pytest.raises(StorageError) as caught:
        run(folder, disk / "file", form)
    assert str(caught.value) == (
        f"can't write {disk}/file: No space left on device; check the folder, its owner and the "
        "free space"
    )
    assert not list(disk.iterdir())


@as_root
def test_a_full_disk_leaves_the_years_that_were_replaced_and_the_old_ones(folder, disk):
    store(folder, [window_row(0), window_row(YEARS_APART)])
    files = run(folder, disk / "out", PARQUET, by_year=True).files
    store(
        folder, [window_row(height) for height in (1, *range(YEARS_APART + 1, YEARS_APART + 4000))]
    )
    with pytest.raises(StorageError, match=r"year=2027/.*: No space left on device"):
        run(folder, disk / "out", PARQUET, by_year=True)
    assert [len(from_parquet(path)) for path in files] == [2, 1]
    assert len(files_in(disk)) == 2


@as_root
@pytest.mark.parametrize("by_year", [False, True])
def test_a_read_only_disk_is_one_line(filled, disk, by_year):
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    with pytest.raises(StorageError, match=f"can't (write|make the folder) {disk}/file.parquet"):
        run(filled, disk / "file.parquet", PARQUET, by_year=by_year)


@pytest.mark.parametrize("by_year", [False, True])
def test_a_missing_folder_is_one_line(filled, tmp_path, by_year):
    with pytest.raises(StorageError, match=r"can't .*nowhere/rows: No such file or directory"):
        run(filled, tmp_path / "nowhere" / "rows", PARQUET, by_year=by_year)
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("by_year", [False, True])
def test_a_folder_without_permission_is_one_line(folder, open_folder, by_year):
    open_folder.joinpath("data").mkdir()
    shutil.copy(folder.snapshot, open_folder / "data")
    (open_folder / "data" / folder.snapshot.name).chmod(0o644)
    with another_user(), pytest.raises(StorageError, match=r"can't .*rows: Permission denied"):
        run(DataFolder(open_folder / "data"), open_folder / "rows", PARQUET, by_year=by_year)


def test_a_file_in_place_of_the_folder_is_one_line(filled, tmp_path):
    (tmp_path / "rows").write_text("mine")
    with pytest.raises(StorageError, match="rows is not a folder: name one, or a file that ends"):
        run(filled, tmp_path / "rows", PARQUET, by_year=True)
    assert (tmp_path / "rows").read_text() == "mine"


@pytest.mark.parametrize(
    "name",
    [
        "utxoracle_cache.db", "utxoracle_snapshot.db", "utxoracle_cache.db.wal", "lock",
        "last_run.json", "prices.csv", "scans/prices.csv", "backups/prices.csv", "../to_snapshot",
        "../to_data/prices.csv", "./scans/../lock",
    ],
)  # fmt: skip
@pytest.mark.parametrize("form", [CSV, PARQUET])
def test_the_files_of_the_database_are_never_written_to(filled, name, form):
    (filled.path / "backups").mkdir()
    (filled.path.parent / "to_snapshot").symlink_to(filled.snapshot)
    (filled.path.parent / "to_data").symlink_to(filled.path)
    before = {path: path.read_bytes() for path in filled.path.rglob("*") if path.is_file()}
    with pytest.raises(UsageError, match="the database's own folder"):
        run(filled, filled.path / name, form)
    assert before == {path: path.read_bytes() for path in filled.path.rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", [".", "scans", "../to_data"])
def test_nor_do_they_get_company(filled, name):
    (filled.path.parent / "to_data").symlink_to(filled.path)
    with pytest.raises(UsageError, match="the database's own folder"):
        run(filled, filled.path / name, PARQUET, by_year=True)
    assert not list(filled.path.rglob("year=*"))


def test_an_export_may_lie_in_a_folder_of_its_own_within_the_data_folder(filled):
    (filled.path / "exports").mkdir()
    assert run(filled, filled.path / "exports" / "prices.csv", CSV).rows == len(windows())


def test_a_link_stays_one_and_a_hard_link_to_the_snapshot_does_it_no_harm(filled, tmp_path):
    (tmp_path / "target").mkdir()
    (tmp_path / "link").symlink_to("target/rows")
    os.link(filled.snapshot, tmp_path / "target" / "rows")
    before = filled.snapshot.read_bytes()
    for form in CSV, PARQUET:
        run(filled, tmp_path / "link", form)
    assert (tmp_path / "link").is_symlink()
    assert from_parquet(tmp_path / "target" / "rows") == typed_rows()
    assert filled.snapshot.read_bytes() == before


def test_a_missing_snapshot_is_told_before_anything_is_written(filled, tmp_path):
    filled.snapshot.unlink()
    for by_year in False, True:
        with pytest.raises(StorageError, match=r"snapshot.db is not there: run utxoracle analyze"):
            run(filled, tmp_path / "out", PARQUET, by_year=by_year)
    assert not (tmp_path / "out").exists()
