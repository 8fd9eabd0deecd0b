"""The cookie with which a simulated bitcoind lets its owner call."""

import os
import secrets
from contextlib import suppress
from pathlib import Path

from utxoracle.atomic import writable_target
from utxoracle.errors import StorageError

COOKIE_USER = "__cookie__"


class Cookie:
    """A file with a fresh password, for its owner's eyes only.

    Attributes:
        content: The `user:password` pair.

    Raises:
        StorageError: The file holds something else, or could not be written.
    """

    def __init__(self, path: Path) -> None:
        self._path = writable_target(path)
        self.content = f"{COOKIE_USER}:{secrets.token_hex(32)}"
        if self._holds_something_else():
            raise StorageError(
                f"{path} is there and is not a cookie; choose another name for the cookie file"
            )

    def write(self) -> None:
        """Write the file, in the place of an older cookie.

        Raises:
            StorageError: It can't be written.
        """
        try:
            self._path.unlink(missing_ok=True)
            handle = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "w") as file:
                file.write(self.content)
        except OSError as error:
            raise self._failure("written", error) from None

    def remove(self) -> None:
        """Remove the file, unless another server has put its own there."""
        # One that can't be removed opens nothing once its server is gone.
        with suppress(OSError):
            if self._path.read_bytes() == self.content.encode():
                self._path.unlink()

    def _holds_something_else(self) -> bool:
        begin = f"{COOKIE_USER}:".encode()
        try:
            with self._path.open("rb") as file:
                return file.read(len(begin)) != begin
        except FileNotFoundError:
            return False
        except OSError as error:
            raise self._failure("read", error) from None

    def _failure(self, action: str, error: OSError) -> StorageError:
        return StorageError(
            f"the cookie file {self._path} can't be {action}: {error.strerror or error}; "
            "choose another place for it"
        )
