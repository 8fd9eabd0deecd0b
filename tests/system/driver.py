"""Runs a scenario: hosts for it, the globals of the NixOS test driver, and an end to all of it.

Everything is in namespaces of the driver's process, so that nothing outlives it, however it ends:
see enclosed.py.
"""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.system import rootfs
from tests.system.installed import CONFIGURATIONS, Layer
from tests.system.machine import Machine
from tests.system.namespaces import Host, Switch

HERE = Path(__file__).parent
CASE = "system-tests"
SCENARIOS: dict[str, dict[str, Any]] = json.loads((HERE / "scenarios.json").read_text())
"""What scenarios want that don't want one host alone; `attacker` is one without the appliance,
`configurations` are cases that a host can switch to."""


def scenarios() -> list[str]:
    """Return the names of all scenarios."""
    return sorted(path.stem for path in (HERE / "scenarios").glob("*.py"))


def script(name: str, *, is_long: bool) -> str:
    """Return a scenario's test script, whole: what both hosts give to their driver."""
    prelude = (HERE / "prelude.py").read_text()
    return f"is_long = {is_long}\n\n{prelude}\n\n{(HERE / 'scenarios' / f'{name}.py').read_text()}"


class Driver:
    """The hosts of one scenario.

    Args:
        folder: For what they keep; nothing of it is there any more in the end.
        group: Distinguishes this run from others.
    """

    def __init__(self, folder: Path, group: str) -> None:
        self._folder, self._group = folder, group
        self._switch = Switch()
        self._base = rootfs.root()
        self._program = folder / "program"
        rootfs.layer(self._base, self._program)
        self._images = rootfs.image_store(self._base)
        rootfs.make_once(self._images, self._fill)
        self._machines: list[Machine] = []

    def _fill(self, images: Path) -> None:
        host = Host("builder", [self._base], images, self._folder / "builder", self._group)
        host.start()
        try:
            shutil.copytree(rootfs.IMAGES, host.path("/images"))
            store = rootfs.IMAGE_STORE
            writable = ["mount", "-o", "remount,rw,bind", store]
            for command in (writable, ["/images/build", "/images", store]):
                subprocess.run(host.command(*command), check=True)
        finally:
            host.cut()

    def machine(self, name: str, number: int, others: dict[str, str] | None = None) -> Machine:
        """Make a host, which is off: with the appliance, unless it is the attacker.

        `others` are cases that it can switch to, by the names that it knows them by.
        """
        label = None if name == "attacker" else f"nvme{self._group}"
        lower = [self._program, self._base]
        if label is not None:
            configuration = self._folder / f"{name}-configuration"
            Layer(self._base, configuration, label).install(CASE)
            for other, case in {"system": CASE, **others}.items() if others else ():
                Layer(self._base, configuration / CONFIGURATIONS / other, label).install(case)
            lower.insert(0, configuration)
        host = Host(name, lower, self._images, self._folder / name, self._group)
        made = Machine(host, self._switch, f"192.168.1.{number}", label)
        self._machines.append(made)
        return made

    def run(self, name: str, *, is_long: bool) -> None:
        """Run a scenario.

        Raises:
            Exception: It failed.
        """
        wanted = SCENARIOS.get(name, {})
        names, others = wanted.get("hosts", ["machine"]), wanted.get("configurations")
        machines = [
            self.machine(each, number, others) for number, each in enumerate(sorted(names), 1)
        ]

        def start_all() -> None:
            for machine in machines:
                machine.start()

        @contextmanager
        def subtest(what: str) -> Iterator[None]:
            begin = time.monotonic()
            yield
            print(f"* {what} ({time.monotonic() - begin:.1f} s)", flush=True)

        given = {each.name: each for each in machines}
        known = {**given, "machines": machines, "start_all": start_all, "subtest": subtest}
        text = script(name, is_long=is_long)
        exec(compile(text, f"{name}.py", "exec"), known)

    def close(self) -> None:
        """End all hosts."""
        for machine in self._machines:
            machine.crash()
        self._switch.close()


def run(name: str, folder: Path, *, is_long: bool) -> None:
    """Run a scenario; the folder's name distinguishes it from others that run.

    Raises:
        Exception: It failed.
    """
    begin = time.monotonic()
    with opened(folder / name, folder.name) as driver:
        driver.run(name, is_long=is_long)
    print(f"{name}: passed in {time.monotonic() - begin:.0f} s", file=sys.stderr, flush=True)


@contextmanager
def opened(folder: Path, group: str) -> Iterator[Driver]:
    """Give a driver with a folder that is new, and gone with the driver."""
    folder.mkdir()
    driver = Driver(folder, group)
    try:
        yield driver
    finally:
        driver.close()
        shutil.rmtree(folder)
