"""The part of the NixOS test driver's interface that scenarios may use: what both hosts have.

Names and types are those of nixos/lib/test-driver in nixpkgs, which checks each script against
them before it runs.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol

start_all: Callable[[], None]
subtest: Callable[[str], AbstractContextManager[None]]

GLOBALS = ("start_all", "subtest")
"""What a script is given besides its machines."""


class QemuMachine(Protocol):
    """A machine."""

    name: str

    def start(self) -> None: ...

    def shutdown(self) -> None: ...

    def crash(self) -> None: ...

    def block(self) -> None: ...

    def unblock(self) -> None: ...

    def log(self, msg: str) -> None: ...

    def succeed(self, *commands: str, timeout: int | None = None) -> str: ...

    def fail(self, *commands: str, timeout: int | None = None) -> str: ...

    def execute(
        self,
        command: str,
        check_return: bool = True,
        check_output: bool = True,
        timeout: int | None = 900,
    ) -> tuple[int, str]: ...

    def systemctl(self, q: str, user: str | None = None) -> tuple[int, str]: ...

    def wait_for_unit(self, unit: str, user: str | None = None, timeout: int = 900) -> None: ...

    def wait_for_open_port(
        self, port: int, addr: str = "localhost", timeout: int = 900
    ) -> None: ...

    def wait_until_succeeds(self, command: str, timeout: int = 900) -> str: ...

    def wait_until_fails(self, command: str, timeout: int = 900) -> str: ...

    def copy_from_host(self, source: str, target: str) -> None: ...
