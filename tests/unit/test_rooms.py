"""The folders are a house: no room imports one below it."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "utxoracle"
ROOMS = [
    "errors", "atomic", "settings", "bitcoin", "price", "simulation", "sources", "store", "jobs",
    "api", "web", "cli", "__main__",
]  # fmt: skip
PURE = ("bitcoin", "price")
IMPURE_MODULES = {
    "asyncio", "datetime", "http", "io", "logging", "os", "pathlib", "random", "requests",
    "shutil", "socket", "subprocess", "sys", "tempfile", "threading", "time", "urllib",
}  # fmt: skip

FILES = sorted(path for path in PACKAGE.rglob("*.py") if path.name != "__init__.py")


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported_modules(path: Path) -> set[str]:
    modules = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            modules.add(node.module)
    return modules


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_room_imports_one_below_it(path):
    own = ROOMS.index(room_of(path))
    for module in imported_modules(path):
        parts = module.split(".")
        if parts[0] == "utxoracle" and len(parts) > 1:
            assert ROOMS.index(parts[1]) <= own, f"{room_of(path)} imports {module}"


@pytest.mark.parametrize(
    "path",
    [path for path in FILES if room_of(path) in PURE],
    ids=lambda path: str(path.relative_to(PACKAGE)),
)
def test_the_pure_rooms_know_no_clock_no_network_and_no_file(path):
    assert not {module.split(".")[0] for module in imported_modules(path)} & IMPURE_MODULES


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_file_grows_beyond_400_lines(path):
    assert len(path.read_text().splitlines()) <= 400
