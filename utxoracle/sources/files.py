"""Blocks from a folder of files."""

import os
import re
from pathlib import Path

from utxoracle.bitcoin.header import HEADER_SIZE, parse_header
from utxoracle.bitcoin.walk import MAX_BLOCK_SIZE
from utxoracle.errors import BlockCorrupt, BlockNotFound, SourceError, UsageError
from utxoracle.sources.answers import checked_header

_NAME = re.compile(r"([0-9]+)(?:[\W_].*)?\.bin", re.DOTALL)


class FilesSource:
    """The block files of a folder, each one raw serialised block.

    A file's name is the height and `.bin`; between them there may be anything that begins with
    neither a digit nor a letter, as in `820000.bin`, `820000_626d6571.bin` or `820000-abc.bin`.
    Other names are ignored. The folder is listed once. The newest block is the one of the greatest
    height; heights may be missing.

    Raises:
        UsageError: There is no such folder, no block file in it, or two of one height.
        SourceError: The folder can't be read.
    """

    may_lack_genesis = True
    route: str | None = None

    def __init__(self, folder: str) -> None:
        self.name = f"files {folder}"
        self._paths = _list_blocks(folder)
        self._hashes: dict[int, str] = {}
        self._heights: dict[str, int] = {}

    def tip(self) -> tuple[int, str]:
        """Return the greatest height and the hash of its block."""
        height = max(self._paths)
        return height, self.hash_at(height)

    def tip_hash(self) -> str:
        """Return the hash of that block."""
        return self.tip()[1]

    def hash_at(self, height: int) -> str:
        """Return the hash of the header that the file of `height` begins with.

        Raises:
            BlockNotFound: There is no file of that height.
            BlockCorrupt: The file is shorter than a header.
        """
        known = self._hashes.get(height)
        if known is not None:
            return known
        if height not in self._paths:
            raise BlockNotFound(f"{self.name} has no file for block {height}")
        try:
            block_hash = parse_header(self._read(height, HEADER_SIZE)).hash
        except BlockCorrupt as error:
            raise BlockCorrupt(f"{self._paths[height]} is not a block: {error}") from None
        self._hashes[height] = block_hash
        self._heights[block_hash] = height
        return block_hash

    def header(self, block_hash: str) -> bytes:
        """Return the 80 bytes in front of a block; see `Source.header`."""
        raw = self._read(self._height_of(block_hash), HEADER_SIZE)
        return checked_header(raw, block_hash, self.name)

    def raw_block(self, block_hash: str) -> bytes:
        """Return a file's bytes, at most one more than a block can have."""
        return self._read(self._height_of(block_hash), MAX_BLOCK_SIZE + 1)

    def close(self) -> None:
        """Do nothing: no file is kept open."""

    def _height_of(self, block_hash: str) -> int:
        if block_hash not in self._heights:
            for height in self._paths:
                self.hash_at(height)
        if block_hash not in self._heights:
            raise BlockNotFound(f"{self.name} has no file of block {block_hash}")
        return self._heights[block_hash]

    def _read(self, height: int, size: int) -> bytes:
        path = self._paths[height]
        try:
            with path.open("rb") as file:
                return file.read(size)
        except OSError as error:
            raise SourceError(f"{path} can't be read: {error.strerror}; check its mode") from None


def _list_blocks(folder: str) -> dict[int, Path]:
    """Return the block files of a folder by height."""
    root = expand_user(folder)
    try:
        if not folder or not root.is_dir():
            raise UsageError(f"there is no folder {folder!r}; name one with block files: files:DIR")
        with os.scandir(root) as entries:
            found = sorted(
                (height, one.name)
                for one in entries
                if (height := _height(one.name)) is not None and one.is_file()
            )
    except OSError as error:
        raise SourceError(f"folder {folder} can't be read: {error.strerror}; check its mode") from (
            None
        )
    paths: dict[int, Path] = {}
    for height, name in found:
        if height in paths:
            raise UsageError(
                f"{folder} has two files of block {height}: {paths[height].name} and {name}; "
                "remove one"
            )
        paths[height] = root / name
    if not paths:
        raise UsageError(f"folder {folder} has no block files: none is called <height>.bin")
    return paths


def _height(name: str) -> int | None:
    """Return the height that a file's name begins with, None when it is no block file's name."""
    match = _NAME.fullmatch(name)
    return int(match[1]) if match else None


def expand_user(path: str) -> Path:
    """Return `path` with the home folder in place of the `~` or `~user` that it begins with.

    Raises:
        UsageError: There is no such user, or that user has no home folder.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError:
        user = Path(path).parts[0]
        raise UsageError(f"{path} can't be used: {user} has no home folder; write it out") from None
