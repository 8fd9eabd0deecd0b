# Backups: made each night, also when a night was missed, kept for a month, and as good as what they
# were made of.
BACKUPS = f"{DATA}/backups"
STAMP = "/var/lib/systemd/timers/stamp-utxoracle-backup.timer"
START = "systemctl start utxoracle-backup.service"


def days() -> list[str]:
    """Return the days that there are backups of, newest first."""
    names = machine.succeed(f"cd {BACKUPS}; ls utxoracle_cache_*.db").split()
    # A second one of a day has the time behind it.
    return sorted({name.removeprefix("utxoracle_cache_")[:10] for name in names}, reverse=True)


def days_before(number: int) -> list[str]:
    """Return today's date, and those of days before: so many in all."""
    last = number - 1
    each = f'for number in $(seq 0 {last}); do date --utc --date="$number days ago" +%F; done'
    return machine.succeed(each).split()


start_all()
wait_for_stack()
wait_for_height(node_tip())

with subtest("a month of backups is kept, and not a day more"):
    machine.succeed(START)
    today = days()[0]
    # As if one had been made each day of the last forty.
    machine.succeed(
        f"cd {BACKUPS}; for number in $(seq 40); do"
        ' old=utxoracle_cache_$(date --utc --date="$number days ago" +%F).db;'
        f" cp --archive utxoracle_cache_{today}.db $old;"
        f" sed s/utxoracle_cache_{today}.db/$old/ utxoracle_cache_{today}.db.sha256 >$old.sha256;"
        f' touch --date="$number days ago" $old; chown utxoracle:utxoracle $old.sha256; done'
    )
    assert len(days()) == 41
    machine.succeed(START)
    assert days() == days_before(30)
    machine.succeed("utxoracle backups --quick")

with subtest("a night that the host was off for is made up for"):
    machine.succeed(f"rm {BACKUPS}/utxoracle_cache_{today}*", f"touch --date='2 days ago' {STAMP}")
    machine.shutdown()
    machine.start()
    machine.wait_until_succeeds(f"ls {BACKUPS}/utxoracle_cache_$(date --utc +%F)*.db", timeout=120)

with subtest("the database of mempool's back end is dumped"):
    wait_for_stack()
    machine.succeed("systemctl start utxoracle-backup-mempool.service")
    dump = machine.succeed(f"ls --directory {BACKUPS}/mempool*.sql.gz").split()[-1]
    assert "schema_version" in machine.succeed(f"zcat {dump} | grep schema_version")

with subtest("a database that is damaged is refused, and restored as the runbook says"):
    order("tip", by=3)
    wait_for_height(node_tip())
    machine.succeed("systemctl stop utxoracle-analyze.timer utxoracle-analyze.service")
    machine.succeed(
        f"dd if=/dev/urandom of={DATA}/utxoracle_cache.db bs=4096 count=8 conv=notrunc status=none"
    )
    machine.fail("systemctl start utxoracle-analyze.service")
    show = "systemctl show --value --property=ExecMainStatus utxoracle-analyze.service"
    assert machine.succeed(show).strip() == "5"
    machine.succeed("utxoracle restore latest", "utxoracle analyze")
    machine.succeed("systemctl start utxoracle-analyze.timer")

with subtest("it is what it would be if nothing had happened"):
    order("tip", by=1)
    check_equals_twin()
    machine.succeed(f"rm {DATA}/utxoracle_cache.db.before-restore-*")
    machine.succeed("utxoracle doctor")

check_calm(
    r"^utxoracle-analyze\.service: Failed with result 'exit-code'",
    r"^Failed to start utxoracle-analyze\.service",
)
