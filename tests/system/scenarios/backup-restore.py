# A month of backups made by their timer, what is kept of them, a night that was missed, and what
# the runbook says when something is lost.
BACKUPS = f"{DATA}/backups"
KEPT_DAYS = 30
NIGHTS = 33 if is_long else 3
DUMP_TIMER = "utxoracle-backup-mempool.timer"
TIMER = "utxoracle-backup.timer"

# The names of backups, the times of their files and the names in their checksums.
AGE = f"""cd {BACKUPS}
for file in utxoracle_cache_2*.db; do
  old=${{file:16:10}}
  new=utxoracle_cache_$(date -u -d "$old - DAYS days" +%F)${{file:26}}
  touch -d "@$(($(stat -c %Y $file) - DAYS * 86400))" $file
  mv $file $new
  mv $file.sha256 $new.sha256
  read -r sum _ <$new.sha256
  echo "$sum  $new" >$new.sha256
done"""

# The newest backup once more, for each of the days before it.
COPY = f"""cd {BACKUPS}
newest=$(echo utxoracle_cache_2*.db)
read -r sum _ <$newest.sha256
for days in $(seq {KEPT_DAYS - 1}); do
  copy=utxoracle_cache_$(date -u -d "${{newest:16:10}} - $days days" +%F).db
  cp --preserve $newest $copy
  touch -d "@$(($(stat -c %Y $newest) - days * 86400))" $copy
  echo "$sum  $copy" >$copy.sha256
done
chown utxoracle:utxoracle *.sha256"""

MISS = f"touch -d '2 days ago' /var/lib/systemd/timers/stamp-{TIMER}"


def today() -> str:
    """Return the day, UTC."""
    return machine.succeed("date -u +%F").strip()


def backups() -> list[str]:
    """Return the names of the backups, the oldest first."""
    return machine.succeed(f"cd {BACKUPS} && ls utxoracle_cache_2*.db").split()


def age(days: int) -> None:
    """Let all backups be some days older."""
    machine.succeed(AGE.replace("DAYS", str(days)))


def wait_for_backup(day: str) -> None:
    """Wait until the backup of a day is made, and until it has removed older ones."""
    machine.wait_until_succeeds(f"test -e {BACKUPS}/utxoracle_cache_{day}.db", timeout=60)
    state = "systemctl show --value --property=ActiveState utxoracle-backup.service"
    machine.wait_until_succeeds(f"{state} | grep -qx inactive", timeout=60)


def spend_night() -> None:
    """Let a day pass, at whose end the timer finds that it has to make a backup."""
    machine.succeed("systemctl start utxoracle-analyze.service")
    machine.succeed(f"systemctl stop {TIMER}")
    age(1)
    machine.succeed(MISS, f"systemctl start {TIMER}")
    wait_for_backup(today())


def restore() -> None:
    """Put the newest backup in the place of the database, and let a run go on from it."""
    assert "restored" in machine.succeed("utxoracle restore latest")
    machine.succeed("systemctl start utxoracle-analyze.service")
    assert get(f"{API}/health")["status"] == "healthy"
    check_equals_twin()


start_all()
machine.wait_for_unit("multi-user.target")
wait_for_stack()
wait_for_height(node_tip())
begin_twin()

with subtest("nothing is backed up before its time, which is three o'clock"):
    for timer, time in ((TIMER, "03:00:00 UTC"), (DUMP_TIMER, "03:30:00 UTC")):
        machine.wait_for_unit(timer)
        assert time in property_of(timer, "NextElapseUSecRealtime"), timer
    machine.fail(f"test -e {BACKUPS}")

with subtest("each night has its backup, and goes when it is a month old"):
    machine.succeed("systemctl start utxoracle-backup.service")
    machine.succeed(f"touch {BACKUPS}/utxoracle_cache_1999-12-31.db")
    if not is_long:
        # Copies will do for the nights before.
        machine.succeed(COPY)
    for night in range(NIGHTS):
        if night < 3:
            # Not more, or the chain would be ahead of the clock.
            order("tip", by=1)
        spend_night()
    days = [today()]
    while len(days) < KEPT_DAYS:
        days.append(machine.succeed(f"date -u -d '{days[-1]} - 1 day' +%F").strip())
    assert backups() == [f"utxoracle_cache_{day}.db" for day in reversed(days)], backups()

with subtest("all that is kept is good, and what has no checksum is somebody else's"):
    machine.succeed(f"rm {BACKUPS}/utxoracle_cache_1999-12-31.db")
    machine.succeed(f"cd {BACKUPS} && sha256sum --check --strict --quiet *.sha256")
    machine.succeed("utxoracle backups")

with subtest("after a long pause nothing goes at once, and three good ones stay"):
    age(40)
    *_, good, damaged = before = backups()
    machine.succeed(f"truncate --size=-1 {BACKUPS}/{damaged}")
    assert "NO: " in machine.execute("utxoracle backups")[1]
    machine.succeed("systemctl start utxoracle-backup.service")
    assert backups()[:-1] == before
    machine.succeed("systemctl start utxoracle-backup.service")
    first, second = backups()[-2:]
    assert backups() == [good, damaged, first, second], backups()
    machine.succeed(f"rm {BACKUPS}/{damaged}*")

with subtest("what was missed while the machine was off is made up for at its start"):
    age(1)
    machine.fail(f"ls {BACKUPS}/mempool_db_*")
    machine.succeed(MISS, MISS.replace(TIMER, DUMP_TIMER))
    machine.shutdown()
    machine.start()
    wait_for_backup(today())
    dump = f"{BACKUPS}/mempool_db_{today()}.sql.gz"
    machine.wait_until_succeeds(f"test -e {dump}", timeout=120)
    wait_for_stack()

with subtest("the dump of MariaDB is whole, root's own, and can be put back"):
    assert machine.succeed(f"stat -c '%U %a' {dump} {dump}.sha256") == "root 600\n" * 2
    machine.succeed(f"cd {BACKUPS} && sha256sum --check --strict {dump}.sha256")
    pause_analyze()
    machine.succeed("systemctl stop podman-mempool-backend.service")
    client = 'MYSQL_PWD=$MARIADB_PASSWORD exec mariadb --user="$MARIADB_USER" mempool'
    run = f"podman exec -i mempool-db sh -c '{client}'"
    query = f"echo 'SELECT number FROM state' | {run}"
    assert "112" in machine.succeed(query)
    machine.succeed(f"echo 'DROP TABLE state' | {run}")
    machine.fail(query)
    machine.succeed(f"zcat {dump} | {run}")
    assert "112" in machine.succeed(query)
    machine.succeed("systemctl start podman-mempool-backend.service")

with subtest("a database that is damaged is restored, and equals one that never was"):
    machine.succeed(
        f"dd if=/dev/urandom of={DATA}/utxoracle_cache.db bs=4096 count=64 conv=notrunc",
        f"rm {DATA}/utxoracle_snapshot.db",
    )
    run_of_analyze(5)
    assert status_of(LATEST) == "503"
    restore()
    machine.succeed(f"rm {DATA}/utxoracle_cache.db.before-restore-*")

with subtest("it equals it after blocks that come later, too"):
    order("tip", by=5)
    machine.succeed("systemctl start utxoracle-analyze.service")
    wait_for_height(node_tip())
    check_equals_twin()

with subtest("where only the backups are left, nothing begins anew by itself, and they are enough"):
    machine.succeed(f"find {DATA} -mindepth 1 -maxdepth 1 -not -name backups -exec rm -r {{}} +")
    machine.fail("systemctl start utxoracle-analyze.service")
    machine.fail(f"test -e {DATA}/utxoracle_cache.db")
    restore()
    machine.succeed("systemctl start utxoracle-analyze.timer", "utxoracle doctor")

check_calm(*RUN_FAILED)
