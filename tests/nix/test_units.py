"""The units as systemd itself sees them: Debian 12's, and the one of trixie."""

import re
import shutil
import subprocess

import pytest

from tests.debian import ProgramUnavailable, debian_program
from tests.nix.golden import cases, kept
from tests.nix.placing import place

SYSTEMDS = ["this machine's", "trixie"]

SCORES = {
    "utxoracle-alert.service": 1.1,
    "utxoracle-alert@.service": 1.1,
    "utxoracle-analyze.service": 1.2,
    "utxoracle-api.service": 0.5,
    "utxoracle-backup.service": 0.5,
    "utxoracle-logs.service": 0.5,
    "utxoracle-p2p-proxy.service": 1.1,
    "utxoracle-rpc-proxy.service": 1.1,
    "utxoracle-secrets.service": 1.5,
    "utxoracle-storage.service": 1.5,
    "utxoracle-unplugged.service": 1.1,
    "bitcoind-utxoracle.service": 1.5,
    # What runs podman is root and needs nearly all of it; containers are closed from inside.
    "podman-mempool-backend.service": 9.8,
    "podman-mempool-db.service": 9.8,
    "podman-mempool-electrs.service": 9.8,
    "podman-mempool-frontend.service": 9.8,
    "podman-network-mempool.service": 7.8,
    "utxoracle-backup-mempool.service": 8.4,
}
"""How exposed each unit may be, on systemd's scale from 0 to 10."""


@pytest.fixture(scope="module", params=SYSTEMDS)
def analyze(request):
    if request.param == "trixie":
        try:
            return debian_program("systemd", "trixie", "usr/bin/systemd-analyze")
        except ProgramUnavailable as error:
            pytest.skip(f"units aren't checked by trixie's systemd: {error}")
    if not (found := shutil.which("systemd-analyze")):
        pytest.skip("units aren't checked by this machine's systemd: it has no systemd-analyze")
    return [found]


def run(*command):
    return subprocess.run(
        [*map(str, command)], capture_output=True, text=True, check=False, timeout=120
    )


def verify(analyze, units):
    return run(*analyze, "verify", "--man=no", "--recursive-errors=no", *units)


@pytest.mark.parametrize("case", cases())
def test_systemd_finds_nothing_wrong_with_the_units(analyze, case, tmp_path):
    units = place(case, tmp_path)
    done = verify(analyze, units)
    # What it doesn't know it only tells.
    assert done.stderr == ""
    assert done.returncode == 0


@pytest.mark.parametrize(
    ("there", "instead"),
    [
        ("Type=oneshot", "Type=sometimes"),
        ("ProtectClock=", "ProtectClocks="),
        ("AssertPathIsMountPoint=", "AssertPathIsAMountPoint="),
        ("@utxoracle@/bin/utxoracle analyze", "/nowhere/utxoracle analyze"),
    ],
)
def test_systemd_would_find_a_slip_of_the_pen(analyze, there, instead, tmp_path):
    units = place("minimal", tmp_path)
    unit = tmp_path / "utxoracle-analyze.service"
    text = unit.read_text().replace(str(tmp_path / "store" / "utxoracle"), "@utxoracle@")
    assert there in text
    unit.write_text(text.replace(there, instead))
    done = verify(analyze, units)
    assert done.stderr or done.returncode


@pytest.mark.parametrize("case", cases())
def test_no_unit_is_more_exposed_than_it_has_to_be(analyze, case, tmp_path):
    services = [unit for unit in place(case, tmp_path) if unit.suffix == ".service"]
    for unit in services:
        limit = round(SCORES[unit.name] * 10)
        done = run(*analyze, "security", "--offline=true", f"--threshold={limit}", unit)
        assert done.returncode == 0, f"{unit.name}: {done.stdout.splitlines()[-1:]}{done.stderr}"


def test_a_unit_that_is_exposed_more_would_be_found(analyze, tmp_path):
    unit = next(one for one in place("minimal", tmp_path) if one.name == "utxoracle-api.service")
    unit.write_text(unit.read_text().replace("PrivateNetwork=true", "PrivateNetwork=false"))
    assert run(*analyze, "security", "--offline=true", "--threshold=5", unit).returncode == 1


@pytest.mark.parametrize("case", cases())
def test_every_timer_has_a_next_time(analyze, case):
    found = re.findall(r"^OnCalendar=(.+)$", "\n".join(kept(case).values()), re.MULTILINE)
    assert found or case == "api-only"
    for calendar in found:
        done = run(*analyze, "calendar", calendar)
        assert done.returncode == 0, done.stderr
        assert "Next elapse: " in done.stdout.replace("Next elapse:  ", "Next elapse: ")
