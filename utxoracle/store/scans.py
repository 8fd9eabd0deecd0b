"""The scan cache: blocks reduced to what windows need of them, one file each.

It can be rebuilt from the source at any time. So it isn't flushed to the disk, and every file is
checked when it is read.
"""

import io
import json
import re
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from utxoracle.atomic import LEFT_OVER, write_atomically
from utxoracle.bitcoin.network import Network
from utxoracle.errors import StorageError
from utxoracle.price.window import LinkedBlock
from utxoracle.store.folder import DataFolder

KEPT_SCANS = 400
"""Blocks; nearly three times a window, so that a day of unusually many blocks fits."""

VERSION = 1
"""Of what is kept. To be raised with every change of the scan or of the links: files of another
version are made again, so that old and new results never mix."""

_NAME = re.compile(r"([0-9]+)_[0-9a-f]{8}\.npz")
_HEAD = "block.json"
_TXIDS, _VALUES, _PARENTS = "<u8", "<i8", "<i4"


class ScanCache:
    """The cache of one data folder; its files can be opened with `numpy.load`."""

    def __init__(self, folder: DataFolder, network: Network) -> None:
        self._folder = folder.scans
        self._network = network

    def load(self, height: int, block_hash: str) -> LinkedBlock | None:
        """Return a block, None when it isn't there or its file isn't sound."""
        try:
            with zipfile.ZipFile(self._path(height, block_hash)) as file:
                head = json.loads(file.read(_HEAD))
                asked_for = (VERSION, self._network.name, height, block_hash)
                if (head["version"], head["network"], head["height"], head["hash"]) != asked_for:
                    return None
                return _read_block(file, head)
        except Exception:  # There is no end to what a damaged file can raise.
            return None

    def store(self, block: LinkedBlock) -> None:
        """Keep a block.

        Raises:
            StorageError: It can't be written.
        """
        head = {
            "version": VERSION,
            "network": self._network.name,
            "height": block.height,
            "hash": block.hash,
            "prev_hash": block.prev_hash,
            "time": block.time,
            "size": block.size,
            "known_from": block.known_from,
            "tx_count": len(block.txids),
            "candidates": len(block.parents),
        }
        members = {
            _HEAD: json.dumps(head).encode(),
            "txids.npy": _array_bytes(block.txids, _TXIDS),
            "values.npy": _array_bytes(block.values, _VALUES),
            "parents.npy": _array_bytes(block.parents, _PARENTS),
        }
        data = io.BytesIO()
        with zipfile.ZipFile(data, "w") as file:
            for name, content in members.items():
                file.writestr(zipfile.ZipInfo(name), content)
        try:
            self._folder.mkdir(0o750, exist_ok=True)
        except OSError as error:
            raise StorageError(
                f"can't make the folder {self._folder}: {error.strerror}; check the one it is in"
            ) from None
        path = self._path(block.height, block.hash)
        write_atomically(path, data.getvalue(), mode=0o640, durable=False)

    def prune(self, newest: int) -> None:
        """Remove all but the blocks of the KEPT_SCANS heights up to `newest`.

        What killed runs left half written goes too; other people's files stay.

        Raises:
            StorageError: A file can't be removed.
        """
        kept = range(newest - KEPT_SCANS + 1, newest + 1)
        try:
            for path in self._folder.iterdir():
                match = _NAME.fullmatch(path.name)
                if LEFT_OVER.fullmatch(path.name) or (match and int(match[1]) not in kept):
                    path.unlink(missing_ok=True)
        except FileNotFoundError:
            return
        except OSError as error:
            raise StorageError(
                f"can't remove old files in {self._folder}: {error.strerror}; check its owner"
            ) from None

    def _path(self, height: int, block_hash: str) -> Path:
        return self._folder / f"{height}_{block_hash[-8:]}.npz"


def _read_block(file: zipfile.ZipFile, head: dict[str, Any]) -> LinkedBlock:
    """Return the block of an open file.

    Raises:
        Exception: Its parts don't fit together; a ValueError, if nothing worse is amiss.
    """
    count = head["candidates"]
    return LinkedBlock(
        height=head["height"],
        hash=head["hash"],
        prev_hash=str(head["prev_hash"]),
        time=int(head["time"]),
        size=int(head["size"]),
        txids=_read_array(file, "txids.npy", _TXIDS, (head["tx_count"],)),
        values=_read_array(file, "values.npy", _VALUES, (count, 2)),
        parents=_read_array(file, "parents.npy", _PARENTS, (count,)).astype(np.int64),
        known_from=int(head["known_from"]),
    )


def _array_bytes(array: NDArray[Any], kind: str) -> bytes:
    return _npy_header(kind, array.shape) + array.astype(kind).tobytes()


def _read_array(
    file: zipfile.ZipFile, name: str, kind: str, shape: tuple[int, ...]
) -> NDArray[Any]:
    # All of a member is read at once, so that its CRC is checked.
    data = file.read(name)
    header = _npy_header(kind, shape)
    if not data.startswith(header):
        raise ValueError(f"{name} is not of type {kind} and shape {shape}")
    return np.frombuffer(data, kind, offset=len(header)).reshape(shape)


def _npy_header(kind: str, shape: tuple[int, ...]) -> bytes:
    """Return what an array begins with in numpy's file format 1.0: 128 bytes.

    Type and shape are known beforehand, so that comparing is enough: loading takes twice as long
    when numpy parses the headers.
    """
    text = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}"
    return b"\x93NUMPY\x01\x00" + (118).to_bytes(2, "little") + f"{text:<117}\n".encode()
