"""The script of the storage unit, on a folder of the test's."""

import os
import stat
import subprocess

import pytest

from tests.nix.scripts import run, script

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0, reason="the storage script is not run: only root gives files to others"
)

OWNER = 65000
MYSQL = "mempool/data/mysql"


@pytest.fixture
def base(tmp_path):
    # Folders of pytest's are closed to others, whom the test asks about theirs.
    return tmp_path / "disk" / "prod" / "apps"


@pytest.fixture
def storage(tmp_path, base):
    def start(within=(), **instead):
        (tmp_path / "disk").mkdir(exist_ok=True)
        words = {"/mnt/nvme": str(tmp_path / "disk"), " utxoracle 0": f" {OWNER} 0", **instead}
        return run(script("scripts/utxoracle-storage-start", tmp_path, **words), within=within)

    return start


def tree(base):
    found = {}
    for path in sorted(base.rglob("*")):
        status = path.lstat()
        name = str(path.relative_to(base))
        found[name] = (status.st_uid, status.st_gid, oct(stat.S_IMODE(status.st_mode)))
    return found


def refusal(done):
    assert done.returncode == 1
    assert done.stdout == ""
    *others, line = done.stderr.splitlines()
    assert line.startswith("utxoracle-storage: ")
    return line.removeprefix("utxoracle-storage: "), others


def test_it_makes_the_tree_with_owners_and_modes(storage, base):
    done = storage()
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    root, closed = (0, 0, "0o755"), "0o700"
    assert tree(base) == {
        "mempool": root,
        "mempool/config": root,
        "mempool/config/secrets": (0, 0, closed),
        "mempool/data": root,
        "mempool/data/cache": (1000, 1000, closed),
        "mempool/data/electrs": (393, 393, closed),
        "mempool/data/mysql": (392, 392, closed),
        "mempool/logs": root,
        "utxoracle": root,
        "utxoracle/config": (0, 0, "0o750"),
        "utxoracle/data": (OWNER, OWNER, "0o750"),
        "utxoracle/logs": (OWNER, OWNER, "0o750"),
    }


def test_a_second_start_changes_nothing_and_mends_modes(storage, base):
    storage()
    made = tree(base)
    (base / MYSQL / "ibdata1").write_bytes(b"kept")
    (base / MYSQL).chmod(0o777)
    assert storage().returncode == 0
    assert (base / MYSQL / "ibdata1").read_bytes() == b"kept"
    (base / MYSQL / "ibdata1").unlink()
    assert tree(base) == made


def test_a_folder_of_somebody_else_is_left_as_it_is(storage, base):
    storage()
    os.chown(base / MYSQL, 999, 999)
    (base / MYSQL / "ibdata1").write_bytes(b"kept")
    line, _ = refusal(storage())
    assert line.startswith(f"{base / MYSQL} belongs to ") and ":999, not to 392: chown -R " in line
    assert (base / MYSQL).stat().st_uid == 999


def test_an_empty_folder_of_somebody_else_is_taken(storage, base):
    (base / MYSQL).mkdir(parents=True)
    os.chown(base / MYSQL, 999, 999)
    assert storage().returncode == 0
    assert (base / MYSQL).stat().st_uid == 392


def test_a_link_leads_root_nowhere(storage, base, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir(mode=0o755)
    (base / "utxoracle").mkdir(parents=True)
    (base / "utxoracle/data").symlink_to(elsewhere)
    line, _ = refusal(storage())
    assert line == f"{base / 'utxoracle/data'} is a link: put a folder in its place"
    assert elsewhere.stat().st_uid == 0


def test_a_file_in_the_place_of_a_folder_is_one_line_of_ours(storage, base):
    base.mkdir(parents=True)
    (base / "mempool").write_text("")
    line, others = refusal(storage())
    assert line == (
        f"can't make {base / 'mempool'}: see the line above; if the folder that it is in is not "
        f"root's, then: install -d -o root -g root -m 0755 {base / 'mempool'}"
    )
    assert len(others) == 1


@pytest.mark.parametrize(
    ("there", "told"), [("disk", "; if a folder that"), ("disk/prod", "; if the folder that")]
)
def test_a_disk_of_somebody_else_is_told_with_what_to_do(there, told, storage, tmp_path):
    (tmp_path / there).mkdir(parents=True)
    os.chown(tmp_path / there, 1234, 1234)
    # As in the unit: root may look at all, and write to what is its own.
    within = ["setpriv", "--bounding-set=-dac_override"]
    line, others = refusal(storage(within))
    assert len(others) == 1
    assert told in line
    subprocess.run(line.partition(", then: ")[2].split(), check=True)
    assert storage(within).returncode == 0


def test_too_little_space_stops_everything(storage, base):
    line, _ = refusal(storage(**{"-ge 2048": "-ge 999999999999"}))
    assert "MiB free on " in line and "make room, or lower storage.minFreeGiB" in line
    assert not base.exists()
