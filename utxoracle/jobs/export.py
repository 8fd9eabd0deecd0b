"""What is stored, as files for other programs: read from the snapshot, without the lock."""

import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from os.path import realpath
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO

from utxoracle.atomic import atomic_file, writable_target
from utxoracle.errors import StorageError, UsageError
from utxoracle.settings import Settings
from utxoracle.store.exports import Dataset, Export, parts_of
from utxoracle.store.folder import DataFolder
from utxoracle.store.series import Column, TextRow
from utxoracle.store.text import csv_text, json_objects

CSV, JSON, JSON_LINES, PARQUET = FORMATS = ("csv", "json", "jsonl", "parquet")

Progress = Callable[[int, int], None]
"""Is told the number of rows that are done, and of all."""

_YEAR = re.compile(r"year=[0-9]{4}")


@dataclass(frozen=True)
class Wanted:
    """What to export.

    Attributes:
        dataset: The rows.
        start: First moment of the range that they lie in, seconds since 1970 UTC.
        stop: The first moment behind it.
    """

    dataset: Dataset
    start: int
    stop: int


@dataclass(frozen=True)
class Exported:
    """What was exported: number of rows, and the files that hold them."""

    rows: int
    files: tuple[Path, ...] = ()


def export(
    settings: Settings,
    wanted: Wanted,
    form: str,
    output: IO[bytes] | Path,
    progress: Progress,
    *,
    by_year: bool = False,
) -> Exported:
    """Write rows of the snapshot, all of one state of it, to a stream, a file or a folder.

    A file is whole or not there. A folder gets a Parquet file for each year, and those that are
    the same already stay as they are. Afterwards it holds what is wanted and nothing else: files
    of a former export of the dataset are removed where no row of theirs is wanted any more.

    Args:
        settings: Where the data folder is.
        wanted: Which rows.
        form: One of FORMATS.
        output: Where to.
        progress: A callback.
        by_year: Whether `output` is a folder.

    Raises:
        UsageError: The output lies among the files of the database.
        StorageError: The snapshot can't be read, or the file or folder can't be written.
        OSError: The stream can't be written.
    """
    if not isinstance(output, Path):
        return _to_stream(settings, wanted, form, output, progress)
    if by_year:
        return _to_folder(settings, wanted, output, progress)
    return _to_file(settings, wanted, form, output, progress)


def _to_stream(
    settings: Settings, wanted: Wanted, form: str, stream: IO[bytes], progress: Progress
) -> Exported:
    if form != PARQUET:
        with closing(_opened(settings, wanted)) as opened:
            return Exported(_write_text(opened, wanted, form, stream, progress))
    # DuckDB writes to files only.
    with TemporaryDirectory(prefix="utxoracle.") as folder:
        done = _to_file(settings, wanted, form, Path(folder) / "rows", progress)
        with done.files[0].open("rb") as file:
            shutil.copyfileobj(file, stream)
    return Exported(done.rows)


def _to_file(
    settings: Settings, wanted: Wanted, form: str, path: Path, progress: Progress
) -> Exported:
    target = writable_target(path)
    _refuse_own_folders(settings, target.parent)
    writable = target.parent if form == PARQUET else None
    with closing(_opened(settings, wanted, writable)) as opened, atomic_file(target) as file:
        if form == PARQUET:
            rows = _write_parquet(opened, wanted, Path(file.name), progress)
        else:
            rows = _write_text(opened, wanted, form, file, progress)
    return Exported(rows, (target,))


def _to_folder(settings: Settings, wanted: Wanted, path: Path, progress: Progress) -> Exported:
    folder = Path(realpath(path))
    _refuse_own_folders(settings, folder)
    name = f"utxoracle_{wanted.dataset.name}.parquet"
    with closing(_opened(settings, wanted, folder)) as opened:
        _make_folder(folder)
        former = _former_files(folder, name)
        rows, years = _years(opened, wanted)
        if former and not rows:
            # Whoever copies the folder to elsewhere would lose the copy as well.
            raise StorageError(
                f"there is no row to export, so the former export in {folder} stays: remove it by "
                "hand if that is right"
            )
        files = [folder / f"year={year.number}" / name for year in years]
        done = 0
        for year, file in zip(years, files, strict=True):
            _make_folder(file.parent)
            with atomic_file(file, keep_equal=True) as temporary:
                opened.write_parquet(year.start, year.stop, Path(temporary.name))
            done += year.rows
            progress(done, rows)
    _remove(former - {*files})
    return Exported(rows, tuple(files))


def _opened(settings: Settings, wanted: Wanted, writable: Path | None = None) -> Export:
    return Export.open(DataFolder(settings.data_folder()), wanted.dataset, writable)


def _refuse_own_folders(settings: Settings, folder: Path) -> None:
    data = DataFolder(settings.data_folder())
    if str(folder) in map(realpath, (data.path, data.scans, settings.backup_folder())):
        raise UsageError(f"{folder} is the database's own folder: write the export to another one")


def _write_parquet(opened: Export, wanted: Wanted, path: Path, progress: Progress) -> int:
    """Write the rows as one Parquet file, and return how many they are."""
    rows, years = _years(opened, wanted)
    if len(years) < 2:
        opened.write_parquet(wanted.start, wanted.stop, path)
        return rows
    # To sort all rows at once would take memory that grows with the history.
    with TemporaryDirectory(dir=path.parent, prefix=".utxoracle.") as folder:
        pieces, done = [], 0
        for year in years:
            pieces.append(Path(folder) / str(year.number))
            opened.write_parquet(year.start, year.stop, pieces[-1])
            done += year.rows
            progress(done, rows)
        opened.join_parquet(pieces, path)
    return rows


def _write_text(
    opened: Export, wanted: Wanted, form: str, stream: IO[bytes], progress: Progress
) -> int:
    """Write the rows as text, and return how many they are."""
    extent = opened.extent(wanted.start, wanted.stop)
    done = 0

    def read() -> Iterator[Sequence[TextRow]]:
        nonlocal done
        for start, stop in parts_of(wanted.start, wanted.stop, extent):
            if rows := opened.texts(start, stop):
                yield rows
                done += len(rows)
                progress(done, extent.prices)

    for piece in _TEXTS[form](wanted.dataset.columns, read()):
        stream.write(piece.encode())
    return done


def _csv(columns: Sequence[Column], parts: Iterable[Sequence[TextRow]]) -> Iterator[str]:
    yield csv_text([[column.name for column in columns]])
    yield from map(csv_text, parts)


def _json(columns: Sequence[Column], parts: Iterable[Sequence[TextRow]]) -> Iterator[str]:
    between = "["
    for rows in parts:
        yield between + "\n" + ",\n".join(json_objects(columns, rows))
        between = ","
    yield "[]\n" if between == "[" else "\n]\n"


def _json_lines(columns: Sequence[Column], parts: Iterable[Sequence[TextRow]]) -> Iterator[str]:
    for rows in parts:
        yield "\n".join(json_objects(columns, rows)) + "\n"


_TEXTS = {CSV: _csv, JSON: _json, JSON_LINES: _json_lines}


@dataclass(frozen=True)
class _Year:
    """What of a range lies in a UTC year."""

    number: int
    start: int
    stop: int
    rows: int


def _years(opened: Export, wanted: Wanted) -> tuple[int, list[_Year]]:
    """Return the number of rows that are wanted, and the years in which there are any."""
    extent = opened.extent(wanted.start, wanted.stop)
    if extent.first is None or extent.last is None:
        return 0, []
    first, last = (datetime.fromtimestamp(one, UTC).year for one in (extent.first, extent.last))
    years = []
    for number in range(first, last + 1):
        start, stop = max(_new_year(number), wanted.start), min(_new_year(number + 1), wanted.stop)
        if rows := opened.extent(start, stop).prices:
            years.append(_Year(number, start, stop, rows))
    return extent.prices, years


def _new_year(number: int) -> int:
    return int(datetime(number, 1, 1, tzinfo=UTC).timestamp())


def _make_folder(path: Path) -> None:
    try:
        path.mkdir(exist_ok=True)
    except FileExistsError:
        raise StorageError(
            f"{path} is not a folder: name one, or a file that ends in .parquet"
        ) from None
    except OSError as error:
        raise StorageError(
            f"can't make the folder {path}: {error.strerror}; check the one that it is in"
        ) from None


def _former_files(folder: Path, name: str) -> set[Path]:
    """Return the files of a former export to a folder.

    Raises:
        StorageError: There are files of something else, which readers of the folder would take for
            a part of the export.
    """
    try:
        found = {*folder.glob("*.parquet"), *folder.glob("*/*.parquet")}
    except OSError as error:
        raise StorageError(
            f"can't read the folder {folder}: {error.strerror}; check its owner and mode"
        ) from None
    former = {path for path in found if path.name == name and _YEAR.fullmatch(path.parent.name)}
    if other := sorted(found - former):
        raise StorageError(
            f"{folder} holds {other[0].relative_to(folder)}, which is of something else: export to "
            "a folder of its own"
        )
    return former


def _remove(files: Iterable[Path]) -> None:
    for path in files:
        try:
            path.unlink(missing_ok=True)
            # What else somebody has put there is not ours to remove.
            if not any(path.parent.iterdir()):
                path.parent.rmdir()
        except OSError as error:
            raise StorageError(
                f"can't remove {path}, which is of a former export: {error.strerror}; remove it"
            ) from None
