"""Whoever uses the old tree is found, with how to stop it."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.conftest import NOBODY, ordinary_user
from tests.old_tree import mysql_folder, write
from utxoracle.jobs.migration.in_use import Obstacle, Obstacles, in_use

# Before a test changes PATH.
CAT = shutil.which("cat")
SH = shutil.which("sh")

CONTAINERS = """[
  {"Name": "/mempool-db", "State": {"Running": true},
   "HostConfig": {"RestartPolicy": {"Name": "always"}},
   "Mounts": [{"Type": "bind", "Source": "%(place)s/mysql", "Destination": "/var/lib/mysql"}]},
  {"Name": "/mempool-api", "State": {"Running": false},
   "HostConfig": {"RestartPolicy": {"Name": "unless-stopped"}},
   "Mounts": [{"Type": "volume", "Name": "x", "Source": "/var/lib/docker/volumes/x/_data"},
              {"Type": "bind", "Source": "%(place)s/cache", "Destination": "/backend/cache"}]},
  {"Name": "/stopped-for-good", "State": {"Running": false},
   "HostConfig": {"RestartPolicy": {"Name": "no"}},
   "Mounts": [{"Type": "bind", "Source": "%(place)s", "Destination": "/data"}]},
  {"Name": "/sees-the-whole-disk", "State": {"Running": true},
   "HostConfig": {"RestartPolicy": {"Name": "always"}},
   "Mounts": [{"Type": "bind", "Source": "/", "Destination": "/host"}]},
  {"Name": "/another-place", "State": {"Running": true}, "HostConfig": {},
   "Mounts": [{"Type": "bind", "Source": "%(place)s-not", "Destination": "/data"}]}
]"""
"""What docker inspect prints, but for what is of no interest here."""


@contextmanager
def process(code: str, *arguments: Path | str, **options: object) -> Iterator[int]:
    """Run some Python until the block ends; begin once it has printed a line."""
    command = [sys.executable, "-c", code + "; print(flush=True); input()", *map(str, arguments)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, **options
    ) as started:
        try:
            started.stdout.readline()
            yield started.pid
        finally:
            started.kill()


def of(pid: int, obstacles: Obstacles) -> Obstacle:
    (obstacle,) = [one for one in obstacles.found if f"(pid {pid}, " in one.what]
    return obstacle


@pytest.fixture(autouse=True)
def no_containers(monkeypatch, tmp_path):
    """Let neither podman nor docker be asked: what this machine runs is not the test's."""
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))


def test_nobody_uses_a_folder(tmp_path):
    assert in_use([mysql_folder(tmp_path / "mysql")]).found == []


def test_a_process_that_has_a_file_open(tmp_path):
    folder = mysql_folder(tmp_path / "mysql")
    with process("import sys; file = open(sys.argv[1])", folder / "ibdata1") as pid:
        found = of(pid, in_use([folder]))
        assert found.what.endswith(f"has {folder}/ibdata1 open")
        assert found.what.startswith("python")
        assert in_use([mysql_folder(tmp_path / "other")]).found == []


def test_a_process_that_stands_in_a_folder(tmp_path):
    folder = mysql_folder(tmp_path / "mysql")
    with process("pass", cwd=folder / "mempool") as pid:
        assert of(pid, in_use([folder])).what.endswith(f"stands in {folder}/mempool")


def test_a_process_that_has_a_file_mapped(tmp_path):
    folder = mysql_folder(tmp_path / "mysql")
    code = (
        "import mmap, sys; file = open(sys.argv[1]); "
        "memory = mmap.mmap(file.fileno(), 4096, prot=mmap.PROT_READ); file.close(); "
        # Python keeps a descriptor of its own for what it maps.
        "import os; [os.close(n) for n in range(3, 20) if os.path.exists(f'/proc/self/fd/{n}') "
        "and os.readlink(f'/proc/self/fd/{n}') == sys.argv[1]]"
    )
    with process(code, folder / "ibdata1") as pid:
        assert of(pid, in_use([folder])).what.endswith(f"has {folder}/ibdata1 mapped")


def test_a_program_that_runs_from_a_folder(tmp_path):
    program = tmp_path / "tree" / "program"
    write(program, Path(SH).resolve().read_bytes()).chmod(0o755)
    with subprocess.Popen([program, "-c", "read line"], stdin=subprocess.PIPE) as started:
        try:
            assert of(started.pid, in_use([tmp_path / "tree"])).what.endswith(f"runs {program}")
        finally:
            started.kill()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount")
def test_a_process_to_which_the_file_has_another_path(tmp_path):
    """As in a container: a mount namespace of its own, with the folder elsewhere."""
    folder = mysql_folder(tmp_path / "mysql")
    (tmp_path / "inside").mkdir()
    code = (
        "import subprocess, sys; "
        "subprocess.run(['/bin/mount', '--bind', sys.argv[1], sys.argv[2]], check=True); "
        "file = open(sys.argv[2] + '/ibdata1')"
    )
    command = ["/usr/bin/unshare", "--mount", sys.executable, "-c"]
    command += [code + "; print(flush=True); input()", str(folder), str(tmp_path / "inside")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as started:
        try:
            started.stdout.readline()
            assert not any((tmp_path / "inside").iterdir())
            found = of(started.pid, in_use([folder]))
        finally:
            started.kill()
    assert found.what.endswith(f"has {folder}/ibdata1 open")
    assert found.remedy == f"kill {started.pid}"


def test_a_lock_is_seen_also_of_a_process_that_cannot_be_looked_into(open_folder):
    folder = mysql_folder(open_folder / "mysql")
    lock = "import fcntl, sys; file = open(sys.argv[1], 'r+'); fcntl.lockf(file, fcntl.LOCK_EX)"
    look = (
        "import os, sys; from pathlib import Path; "
        "from utxoracle.jobs.migration.in_use import in_use; "
        f"os.setresuid({NOBODY}, {NOBODY}, {NOBODY}); found = in_use([Path(sys.argv[1])]); "
        "print(*found.found, *found.unknown, sep='\\n')"
    )
    with process(lock, folder / "ibdata1") as pid:
        assert of(pid, in_use([folder])).what.endswith(f"has {folder}/ibdata1 open")
        if os.geteuid() == 0:
            told = subprocess.run(
                [sys.executable, "-c", look, folder], capture_output=True, text=True, check=True
            ).stdout
            assert f"(pid {pid}, user root) holds a lock (POSIX) on {folder}/ibdata1" in told
            assert "processes that can't be looked into: " in told
            assert "run it as root to be sure" in told


def test_processes_that_cannot_be_looked_into_are_named_up_to_five(open_folder, monkeypatch):
    states = {
        1: "1 (init) S 0 1 1 0 -1 4194560 0",
        **{pid: f"{pid} (a (b)) S 1 1 1 0 -1 4194304 0" for pid in range(2, 8)},
        # The kernel's own, and one that has ended and wasn't waited for.
        8: "8 (kworker/0:0) I 2 0 0 0 -1 69238880 0",
        9: "9 (ended) Z 1 1 1 0 -1 4194304 0",
    }
    for pid, state in states.items():
        write(open_folder / str(pid) / "stat", state)
        (open_folder / str(pid) / "fd").mkdir(mode=0o000)
    write(open_folder / "locks", "")
    monkeypatch.setattr("utxoracle.jobs.migration.in_use._PROC", open_folder)
    with ordinary_user():
        (told,) = in_use([open_folder / "locks"]).unknown
    assert told == (
        "processes that can't be looked into: init (pid 1), a (b) (pid 2), a (b) (pid 3), "
        "a (b) (pid 4), a (b) (pid 5) and 2 more: run it as root to be sure"
    )


def test_the_shell_that_it_was_started_from_may_stand_there(tmp_path):
    folder = mysql_folder(tmp_path / "mysql")
    code = (
        "import subprocess, sys; subprocess.run([sys.executable, '-c', "
        "'from pathlib import Path; from utxoracle.jobs.migration.in_use import in_use; "
        "print(len(in_use([Path.cwd()]).found))'], check=True)"
    )
    environment = os.environ | {"PYTHONPATH": str(Path.cwd())}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    # The program itself stands there too, as whoever is started from that shell does.
    assert done.stdout == "0\n"


def program(folder: Path, name: str, script: str) -> None:
    write(folder / "bin" / name, f"#!/bin/sh\n{script}\n").chmod(0o755)


@pytest.mark.parametrize("name", ["docker", "podman"])
def test_containers_on_a_folder(tmp_path, name):
    place = tmp_path / "stack"
    (place / "mysql").mkdir(parents=True)
    answer = write(tmp_path / "answer", CONTAINERS % {"place": place})
    program(
        tmp_path,
        name,
        f'case "$1" in ps) echo 1; echo 2;; inspect) {CAT} {answer};; *) exit 9;; esac',
    )
    assert in_use([place]).found == [
        Obstacle(
            f"the container mempool-db runs on {place}/mysql",
            f"{name} stop mempool-db && {name} rm mempool-db",
        ),
        Obstacle(
            f"the container mempool-api is started again on {place}/cache "
            "(restart: unless-stopped)",
            f"{name} rm mempool-api",
        ),
    ]


def test_no_containers(tmp_path):
    program(tmp_path, "docker", '[ "$1" = ps ]')
    obstacles = in_use([tmp_path / "bin"])
    assert (obstacles.found, obstacles.unknown[1:]) == ([], [])


@pytest.mark.parametrize("answer", ["exit 1", "echo nonsense"])
def test_containers_that_cannot_be_asked_for_are_not_known(tmp_path, answer):
    program(tmp_path, "docker", answer)
    silent = "docker doesn't tell which containers there are: see docker ps --all"
    assert silent in in_use([tmp_path / "bin"], despite_unknown=True).unknown


@pytest.mark.skipif(os.geteuid() != 0, reason="only root is refused")
def test_root_may_not_go_on_without_knowing_which_containers_there_are(tmp_path, monkeypatch):
    program(tmp_path, "docker", "exit 1")
    (obstacle,) = in_use([tmp_path / "bin"]).found
    assert str(obstacle) == (
        "docker doesn't tell which containers there are: see docker ps --all, or consent with "
        "--despite-unknown"
    )
    monkeypatch.setattr(os, "geteuid", lambda: NOBODY)
    obstacles = in_use([tmp_path / "bin"])
    assert obstacles.found == []
    assert "docker doesn't tell which containers there are: see docker ps --all" in (
        obstacles.unknown
    )


def test_a_file_of_a_disk_that_went_away_hides_no_other(tmp_path, monkeypatch):
    """A link that leads in a circle fails as such a file does: neither is missing."""
    place = write(tmp_path / "old" / "ibdata1", b"").parent
    process = tmp_path / "proc" / "7"
    (process / "fd").mkdir(parents=True)
    (process / "fd" / "0").symlink_to("0")
    (process / "fd" / "1").symlink_to(place / "ibdata1")
    write(process / "comm", "mariadbd\n")
    write(process / "cgroup", "0::/\n")
    write(tmp_path / "proc" / "locks", "")
    monkeypatch.setattr("utxoracle.jobs.migration.in_use._PROC", tmp_path / "proc")
    (obstacle,) = in_use([place]).found
    assert obstacle.what.endswith(f"has {place}/ibdata1 open")
