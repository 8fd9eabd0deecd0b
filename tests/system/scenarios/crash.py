# The power is cut at random moments, while blocks are stored, published and backed up: the
# appliance comes back by itself, nothing that it has told is lost, and its rows equal those of one
# that was never cut off.
import random
import time

CUTS = 20 if is_long else 5
BLOCKS = 12
SEED = random.randrange(1 << 32)
BOOT_SECONDS = 10

BACKUP = "utxoracle-backup.service"
GOING_ON = f"systemctl list-units --plain --no-legend --state=activating {ANALYZE} {BACKUP}"


def latest_height() -> int:
    """Return the height of the newest price that the API tells: at once, or it is an error."""
    latest = get(LATEST)
    assert "height" in latest, latest
    return int(latest["height"])


def check_came_back(published: int) -> None:
    """Check that everything works again though nobody does anything."""
    machine.wait_until_succeeds(f"findmnt {DISK}", timeout=120)
    assert (height := latest_height()) >= published, (height, published)
    wait_for_height(node_tip())
    wait_for_stack()
    machine.wait_until_fails(f"{GOING_ON} | grep .", timeout=120)
    check_calm()


random.seed(SEED)
start_all()
machine.wait_for_unit("multi-user.target")
wait_for_stack()
wait_for_height(node_tip())
begin_twin()
machine.log(f"seed {SEED}")

with subtest("a run and a backup that nobody disturbs"):
    order("tip", by=BLOCKS)
    begin = time.monotonic()
    machine.succeed(f"systemctl start {ANALYZE}")
    seconds = time.monotonic() - begin
    machine.succeed(f"systemctl start {BACKUP}")

hits = []
for cut in range(1, CUTS + 1):
    order("tip", by=BLOCKS)
    if cut % 2:
        what, moment = "both have begun", random.uniform(0, 0.8 * seconds)
        # One after the other: together, the backup would wait for the run.
        machine.succeed(
            f"systemctl start --no-block {BACKUP}", f"systemctl start --no-block {ANALYZE}"
        )
    else:
        what, moment = "new prices were told", random.uniform(0, 0.5)
        machine.succeed(f"systemctl start --no-block {ANALYZE} {BACKUP}")
        wait_for_height(node_tip())
    with subtest(f"power cut {cut}, {moment:.2f} s after {what}"):
        time.sleep(moment)
        published = latest_height()
        hit = [line.split()[0] for line in machine.execute(GOING_ON)[1].splitlines()]
        machine.crash()
        machine.log(f"it fell into {', '.join(hit) or 'nothing'}")
        hits.append(hit)
        machine.start()
        if cut % 5 == 0:
            # Once more while it starts.
            time.sleep(random.uniform(0, BOOT_SECONDS))
            machine.crash()
            machine.start()
        check_came_back(published)

with subtest("cuts fell into runs and backups that were going on"):
    fallen = [hit for hit in hits if hit]
    machine.log(f"{len(fallen)} of {CUTS} cuts fell into something: {hits}")
    assert len(fallen) >= CUTS // 4, hits

with subtest("what is stored equals what was stored without power cuts, and backups are whole"):
    order("tip", by=1)
    machine.succeed(f"systemctl start {ANALYZE}")
    wait_for_height(node_tip())
    check_equals_twin()
    machine.succeed("systemctl start utxoracle-backup.service", "utxoracle backups")

check_calm()
