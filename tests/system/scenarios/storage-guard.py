# The disk: missing, late, unmounted, gone under load, full, read-only. Nothing is ever written
# where it ought to be, whoever asks is told why there is nothing, and all goes on when it is back.
JOBS = "utxoracle-analyze.service utxoracle-backup.service utxoracle-secrets.service"
DATABASE = "podman-mempool-db.service"
ALERTS = "/run/webhook/alerts"
LATEST = f"{API}/api/prices/latest"


def files_below() -> str:
    """Return what the root disk has where the other one is mounted."""
    # Seen at another place, nothing is mounted over it.
    seen = "/run/root-disk"
    look = f"find {seen}{DISK} -mindepth 1"
    return machine.succeed(
        f"mkdir -p {seen} && mount --bind / {seen} && {look} && umount {seen}"
    ).strip()


def wait_for_refusal() -> None:
    """Wait until the API refuses, and check that it says why."""
    machine.wait_until_succeeds(
        f"[ $(curl --silent --output /dev/null --write-out '%{{http_code}}' {LATEST}) = 503 ]",
        timeout=30,
    )
    reason = machine.succeed(f"curl --silent --max-time 5 {LATEST}")
    assert DISK in reason, reason


def wait_for_alert(words: str) -> None:
    """Wait until the owner is told."""
    machine.wait_until_succeeds(f"grep -q {shlex.quote(words)} {ALERTS}", timeout=60)


def check_nothing_runs() -> None:
    """Check that jobs and containers refuse, and write nothing."""
    machine.succeed(f"systemctl start --no-block {JOBS} {DATABASE}")
    # They wait half a minute for the disk.
    machine.wait_until_fails("systemctl list-jobs --plain --no-legend | grep start", timeout=90)
    for unit in f"{JOBS} {DATABASE}".split():
        machine.fail(f"systemctl is-active {unit}")
    assert not machine.succeed("podman ps --quiet").strip()
    assert files_below() == ""


def failed_run(exit_code: int) -> str:
    """Run the main job, which fails, and return what it said."""
    machine.succeed("systemctl stop utxoracle-analyze.timer")
    order("tip", by=1)
    since = machine.succeed("date +%s").strip()
    machine.fail("systemctl start utxoracle-analyze.service")
    show = "systemctl show --value --property=ExecMainStatus utxoracle-analyze.service"
    assert machine.succeed(show).strip() == str(exit_code)
    return machine.succeed(f"journalctl --unit=utxoracle-analyze --since=@{since} --output=cat")


def wait_for_all() -> None:
    """Wait until the whole appliance works, by itself."""
    wait_for_stack()
    order("tip", by=1)
    wait_for_height(node_tip())
    assert get(f"{API}/health")["database"] == "connected"


start_all()
wait_for_all()
stored = get(LATEST)["height"]

with subtest("a disk that isn't there at boot is missed by all, and replaced by nobody"):
    detach_disk()
    machine.crash()
    machine.start()
    machine.wait_for_unit("utxoracle-api.socket")
    wait_for_refusal()
    check_nothing_runs()
    wait_for_alert(DISK)

with subtest("a disk that comes late brings all of it up"):
    attach_disk()
    wait_for_all()
    assert get(LATEST)["height"] > stored

with subtest("a disk that is unmounted by hand is missed, and mounted by the next run"):
    machine.succeed("systemctl stop utxoracle-analyze.timer utxoracle-analyze.service")
    machine.succeed(f"umount --lazy {DISK}")
    wait_for_refusal()
    assert files_below() == ""
    machine.succeed("systemctl start utxoracle-analyze.timer")
    wait_for_all()

with subtest("a disk that vanishes under load takes nothing else with it"):
    asks = f"while true; do curl --silent --max-time 5 --output /dev/null {LATEST} || exit; done"
    machine.succeed(f"systemd-run --quiet --setenv=PATH --unit=asks bash -c {shlex.quote(asks)}")
    order("tip", by=10)
    machine.succeed("systemctl start --no-block utxoracle-analyze.service")
    detach_disk()
    wait_for_refusal()
    machine.wait_until_fails("podman ps --quiet | grep .", timeout=60)
    assert files_below() == ""
    # It has been answered each time.
    machine.succeed("systemctl is-active asks.service")
    machine.succeed("systemctl stop asks.service")
    attach_disk()
    wait_for_all()

with subtest("a full disk ends the job with one line, and nothing is damaged"):
    free = machine.succeed(f"df --output=avail --block-size=1 {DISK} | tail -n 1").strip()
    machine.succeed(f"fallocate --length {free} {DISK}/filler")
    # What is reserved for root, too.
    machine.fail(f"cat /dev/zero >>{DISK}/filler")
    assert "make room" in failed_run(exit_code=5)
    assert status_of(LATEST) == "200"
    machine.succeed(f"rm {DISK}/filler", "systemctl start utxoracle-analyze.timer")
    wait_for_all()

with subtest("a disk that the kernel only lets read, for an error, is read"):
    machine.succeed(f"mount -o remount,errors=remount-ro {DISK}")
    device = machine.succeed(f"basename $(findmnt --noheadings --output SOURCE {DISK})").strip()
    machine.succeed(f"echo seen >/sys/fs/ext4/{device}/trigger_fs_error")
    machine.fail(f"touch {DATA}/file")
    assert "Read-only file system" in failed_run(exit_code=5)
    assert status_of(LATEST) == "200"

with subtest("a boot checks it, and all is back"):
    machine.shutdown()
    machine.start()
    wait_for_all()
    assert get(LATEST)["height"] > stored

check_calm()
