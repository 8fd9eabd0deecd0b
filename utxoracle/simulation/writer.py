"""A simulated chain as files: one for each block, and an index that holds the true price."""

import csv
from contextlib import suppress
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path

from utxoracle.atomic import LEFT_OVER, write_atomically
from utxoracle.bitcoin.header import HEADER_SIZE
from utxoracle.errors import BlockNotFound, StorageError
from utxoracle.simulation.chain import Progress, SimulatedChain

INDEX_NAME = "index.csv"
INDEX_COLUMNS = ("height", "hash", "time", "size", "tx_count", "price")


def write_chain(
    chain: SimulatedChain, directory: Path, progress: Progress | None = None
) -> list[Path]:
    """Write every block but block 0 to `<height>.bin`, then `index.csv`; return the paths.

    The folder is made when it isn't there. One that holds the same chain already, whole or in
    part, is completed. Each file appears under its name only when it is whole.

    Raises:
        StorageError: The folder holds something else, or can't be written.
    """
    heights = range(chain.first_height, chain.tip_height + 1)
    paths = []
    try:
        directory.mkdir(parents=True, exist_ok=True)
        _refuse_foreign(chain, directory)
        for done, height in enumerate(heights, start=1):
            path = directory / f"{height}.bin"
            write_atomically(path, chain.raw_block(height))
            paths.append(path)
            if progress:
                progress(done, len(heights))
        index = directory / INDEX_NAME
        write_atomically(index, _index_of(chain).encode())
    except OSError as error:
        raise StorageError(
            f"{directory} can't be written: {error.strerror or error}; "
            "free some space or choose another folder"
        ) from None
    return [*paths, index]


def _refuse_foreign(chain: SimulatedChain, directory: Path) -> None:
    for path in sorted(directory.iterdir()):
        if LEFT_OVER.fullmatch(path.name) and path.is_file():
            path.unlink()
        elif not _belongs(chain, path):
            raise StorageError(
                f"{directory} holds {path.name}, which isn't of the chain to be written; "
                "choose an empty or a new folder"
            )


def _belongs(chain: SimulatedChain, path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        begin = file.read(HEADER_SIZE)
    if path.name == INDEX_NAME:
        return begin.startswith(",".join(INDEX_COLUMNS).encode())
    if path.suffix != ".bin" or not path.stem.isdecimal():
        return False
    with suppress(BlockNotFound):
        return begin == chain.header(int(path.stem)) and path.name == f"{int(path.stem)}.bin"
    return False


def _index_of(chain: SimulatedChain) -> str:
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(INDEX_COLUMNS)
    for height in range(chain.first_height, chain.tip_height + 1):
        facts = chain.facts_at(height)
        time = datetime.fromtimestamp(chain.time_at(height), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        writer.writerow(
            (
                height,
                chain.hash_at(height),
                time,
                facts.size,
                facts.tx_count,
                repr(chain.price_at(height)),
            )
        )
    return text.getvalue()
