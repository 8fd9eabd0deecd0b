"""The programs that fetch nixpkgs' library and write the golden files say what is wrong."""

import os
import shutil
import subprocess
import sys

import pytest

from tests.nix.golden import GOLDEN, ROOT

needs_git = pytest.mark.skipif(not shutil.which("git"), reason="git is not there")


@pytest.fixture
def program(tmp_path):
    """Run a program of tests.nix, with a cache of its own and no library in it."""

    def run(name, *arguments):
        environment = {key: value for key, value in os.environ.items() if key != "NIXPKGS_LIB"}
        return subprocess.run(
            [sys.executable, "-m", f"tests.nix.{name}", *arguments],
            cwd=ROOT,
            env=environment | {"XDG_CACHE_HOME": str(tmp_path / "cache")},
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def repository(folder, *files):
    """Make a repository with these files."""
    for file in files:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_text(f"{file}\n")
    identity = ["-c", "user.name=Test", "-c", "user.email=test@example.org"]
    for command in (["init", "--quiet"], ["add", "."], [*identity, "commit", "-qm", "All"]):
        subprocess.run(["git", "-C", str(folder), *command], check=True)
    return folder


def one_line(done):
    assert done.returncode
    assert (done.stdout, done.stderr.count("\n")) == ("", 1), done.stderr
    return done.stderr


@needs_git
def test_the_library_of_a_clone_is_put_into_its_place_without_a_warning(program, tmp_path):
    source = repository(tmp_path / "a clone", "lib/default.nix", "COPYING", "flake.nix")
    done = program("library", str(source))
    place = tmp_path / "cache" / "utxoracle" / "nixpkgs.lib"
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{place}\n", "")
    assert sorted(path.name for path in place.iterdir()) == ["COPYING", "REVISION", "lib"]
    head = ["git", "-C", str(source), "rev-parse", "HEAD"]
    assert (place / "REVISION").read_text() == subprocess.check_output(head, text=True)


@needs_git
@pytest.mark.parametrize("address", ["/missing", "file:///missing", "--upload-pack=x"])
def test_a_bad_address_is_told_in_one_line(program, address):
    line = one_line(program("library", "--", address))
    assert line.startswith(f"python -m tests.nix.library: {address} can't be cloned: ")


@needs_git
@pytest.mark.parametrize(
    ("files", "lacking"), [(["README"], "lib/default.nix"), (["lib/default.nix"], "COPYING")]
)
def test_another_repository_is_told_and_the_library_stays(program, tmp_path, files, lacking):
    good = repository(tmp_path / "good", "lib/default.nix", "COPYING")
    assert program("library", str(good)).returncode == 0
    other = repository(tmp_path / "other", *files)
    line = one_line(program("library", str(other)))
    assert line.endswith(f": {other} is not nixpkgs.lib: it has no {lacking}\n")
    cache = tmp_path / "cache" / "utxoracle"
    assert [path.name for path in cache.iterdir()] == ["nixpkgs.lib"]
    assert (cache / "nixpkgs.lib" / "lib" / "default.nix").is_file()


@needs_git
def test_a_cache_that_cannot_be_written_is_told(program, tmp_path):
    (tmp_path / "cache").touch()
    assert "Not a directory" in one_line(program("library", "anything"))


@pytest.mark.parametrize("name", ["library", "golden"])
def test_help_is_given(program, name):
    done = program(name, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"usage: python -m tests.nix.{name} ")


@pytest.mark.parametrize(("name", "arguments"), [("library", []), ("golden", ["everything"])])
def test_wrong_arguments_are_told_with_the_usage(program, name, arguments):
    done = program(name, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"usage: python -m tests.nix.{name} ")


def test_without_the_library_the_golden_files_stay_and_what_is_missing_is_told(program):
    before = {path: path.stat().st_mtime_ns for path in GOLDEN.rglob("*")}
    line = one_line(program("golden"))
    assert line.startswith("python -m tests.nix.golden: ")
    assert "nix-instantiate" in line or "nixpkgs' library is not in " in line
    assert {path: path.stat().st_mtime_ns for path in GOLDEN.rglob("*")} == before
