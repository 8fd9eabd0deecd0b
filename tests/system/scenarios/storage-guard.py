# The disk: missing, late, unmounted, gone under load, full, read-only. Nothing is ever written
# where it ought to be, whoever asks is told why there is nothing, and all goes on when it is back.
UNITS = (
    *(f"utxoracle-{name}.service" for name in ("analyze", "backup", "logs", "secrets", "storage")),
    *(f"podman-mempool-{name}.service" for name in CONTAINERS),
)


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
    reason = get(LATEST)["error"]["detail"]
    assert DISK in reason, reason


def forget_alerts() -> None:
    """Let only alerts count that are still to come."""
    machine.succeed(f"truncate --size=0 {ALERTS}")


def wait_for_alert(words: str) -> None:
    """Wait until the owner is told."""
    machine.wait_until_succeeds(f"grep -q {shlex.quote(words)} {ALERTS}", timeout=60)


def check_nothing_ran() -> None:
    """Check that jobs and containers refuse, and have refused since the host was started."""
    # They wait half a minute for the disk; a container that did start might wait for its health.
    machine.fail(f"timeout 90 systemctl start {' '.join(UNITS)}")
    for unit in UNITS:
        assert property_of(unit, "ExecMainStartTimestampMonotonic") == "0", unit
    assert not machine.succeed("podman ps --all --quiet").strip()
    assert files_below() == ""


def failed_run() -> str:
    """Run the main job, which fails for the disk, and return the one line that it says."""
    pause_analyze()
    order("tip", by=1)
    return one_line(run_of_analyze(5))


def wait_for_all() -> None:
    """Wait until the whole appliance works, by itself."""
    wait_for_stack()
    order("tip", by=1)
    wait_for_height(node_tip())
    assert get(f"{API}/health")["database"] == "connected"


def revision() -> int:
    """Return how often the database has been changed since it was made."""
    told = machine.succeed(
        f"curl --fail --silent {API}/metrics | grep ^utxoracle_snapshot_revision"
    )
    return int(float(told.split()[-1]))


def check_nothing_lost() -> None:
    """Check that the database is the one of the beginning, and has its prices."""
    assert revision() > began_at, revision()
    now = {row["height"]: row for row in prices("utxoracle", "prices")}
    # Those of the oldest blocks leave the window.
    first = min(int(height) for height in now)
    for row in stored:
        assert int(row["height"]) < first or now[row["height"]] == row, row
    assert daily == prices("utxoracle", "daily")


start_all()
wait_for_all()
stored, daily = prices("utxoracle", "prices"), prices("utxoracle", "daily")
began_at = revision()

with subtest("a disk that isn't there at boot is missed by all, and replaced by nobody"):
    detach_disk()
    machine.crash()
    machine.start()
    machine.wait_for_unit("utxoracle-api.socket")
    wait_for_refusal()
    check_nothing_ran()
    wait_for_alert(DISK)

with subtest("a disk that comes late brings all of it up"):
    attach_disk()
    wait_for_all()
    check_nothing_lost()
    # Only who was told that it is over is told of it again.
    machine.succeed("systemctl start utxoracle-alert.service")
    wait_for_alert('"state": "cleared"')

with subtest("a disk that is unmounted by hand is missed, and mounted by the next run"):
    pause_analyze()
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
    forget_alerts()
    detach_disk()
    # As a timer does: this takes the place of the unmounting, which waits for all to stop.
    machine.succeed("systemctl start --no-block utxoracle-analyze.service")
    wait_for_refusal()
    wait_for_alert("is not mounted")
    machine.wait_until_fails("podman ps --quiet | grep .", timeout=60)
    assert files_below() == ""
    # It has been answered each time.
    machine.succeed("systemctl is-active asks.service")
    machine.succeed("systemctl stop asks.service")
    attach_disk()
    wait_for_all()
    check_nothing_lost()

with subtest("a full disk ends the job with one line, and nothing is damaged"):
    free = machine.succeed(f"df --output=avail --block-size=1 {DISK} | tail -n 1").strip()
    machine.succeed(f"fallocate --length {free} {DISK}/filler")
    # What is reserved for root, too.
    machine.fail(f"cat /dev/zero >>{DISK}/filler")
    assert "make room" in failed_run()
    assert status_of(LATEST) == "200"
    machine.succeed(f"rm {DISK}/filler", "systemctl start utxoracle-analyze.timer")
    wait_for_all()
    check_nothing_lost()
    machine.succeed("utxoracle doctor")

with subtest("a disk that the kernel only lets read, for an error, is read"):
    machine.succeed(f"mount -o remount,errors=remount-ro {DISK}")
    device = machine.succeed(f"basename $(findmnt --noheadings --output SOURCE {DISK})").strip()
    machine.succeed(f"echo seen >/sys/fs/ext4/{device}/trigger_fs_error")
    machine.fail(f"touch {DATA}/file")
    assert "Read-only file system" in failed_run()
    assert status_of(LATEST) == "200"

with subtest("a boot checks it, and all is back"):
    machine.shutdown()
    machine.start()
    wait_for_all()
    check_nothing_lost()

check_calm()
