"""What pip installs: built from a copy of the tree, and looked into."""

import gzip
import shutil
import subprocess
import sys
import zipfile
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILES = ["pyproject.toml", "hatch_build.py", ".gitignore", "README.md", "LICENSE"]
VENDOR = "utxoracle/web/vendor"
SCRIPT = f"{VENDOR}/plotly.min.js.gz"
LICENCE = f"{VENDOR}/plotly.LICENSE.txt"


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """A clean copy, in which nothing has been built yet."""
    tree = tmp_path_factory.mktemp("build") / "tree"
    ignored = shutil.ignore_patterns("__pycache__", "vendor", ".*")
    shutil.copytree(ROOT / "utxoracle", tree / "utxoracle", ignore=ignored)
    for name in FILES:
        shutil.copy(ROOT / name, tree)
    return tree


@pytest.fixture(scope="module")
def wheel(tree):
    """The files of the wheel, by name."""
    files = package_files(tree)
    # What packagers do is quicker and needs no network, but the build requirements.
    if find_spec("hatchling") and find_spec("plotly"):
        command = ["hatchling", "build", "--target", "wheel", "--directory", "dist"]
    else:
        command = ["pip", "wheel", ".", "--no-deps", "--wheel-dir", "dist"]
    built = subprocess.run(
        [sys.executable, "-m", *command], cwd=tree, capture_output=True, text=True, check=False
    )
    assert built.returncode == 0, built.stdout + built.stderr
    (path,) = (tree / "dist").glob("*.whl")
    with zipfile.ZipFile(path) as archive:
        found = {name: archive.read(name) for name in archive.namelist()}
    assert files <= set(found)
    return found


def package_files(tree):
    return {
        path.relative_to(tree).as_posix()
        for path in (tree / "utxoracle").rglob("*")
        if path.is_file()
    }


def test_the_wheel_holds_the_page_and_the_contract(wheel):
    assert {
        "utxoracle/api/openapi.json",
        "utxoracle/web/index.html",
        "utxoracle/web/page.js",
        "utxoracle/web/page.css",
    } <= set(wheel)


def test_the_wheel_holds_plotly_compressed_with_its_licence(wheel):
    assert {name for name in wheel if name.startswith(VENDOR)} == {SCRIPT, LICENCE}
    script = gzip.decompress(wheel[SCRIPT])
    assert script.startswith(b"/**\n* plotly.js v")
    assert b"Licensed under the MIT license" in script[:200]
    assert b"Permission is hereby granted, free of charge" in wheel[LICENCE]


def test_no_time_and_no_name_make_builds_differ(wheel):
    # RFC 1952: flags (no name), then the time in four bytes.
    assert wheel[SCRIPT][3:8] == bytes(5)


def test_editable_installs_find_in_the_tree_what_was_built(wheel, tree):
    for name in (SCRIPT, LICENCE):
        assert (tree / name).read_bytes() == wheel[name]
