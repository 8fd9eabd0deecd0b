# The power fails, at any moment: whatever that cuts short, the appliance comes back by itself, and
# its prices are those of a twin to whom nothing happened.
import random

CUTS = 20 if is_long else 5
seed = random.randrange(1 << 32)
moments = random.Random(seed)
ANALYZE = "utxoracle-analyze.service"
BACKUP = "utxoracle-backup.service"
cut_short: dict[str, int] = {ANALYZE: 0, BACKUP: 0}


def is_running(unit: str) -> bool:
    """Return whether a job is in the middle of its work."""
    show = f"systemctl show --value --property=ActiveState {unit}"
    return machine.succeed(show).strip() == "activating"


start_all()
wait_for_stack()
# A run takes a second or two, so that many moments are in one.
machine.succeed("echo OPTIONS=--delay=0.3 >/etc/simulated-node")
print(f"the seed of the moments is {seed}")

for number in range(1, CUTS + 1):
    with subtest(f"power cut {number} of {CUTS}"):
        # The first one meets a first run, which takes some seconds.
        if number > 1:
            order("tip", by=moments.randint(1, 4))
        job, longest = (BACKUP, 0.6) if number % 3 == 0 else (ANALYZE, 2)
        machine.succeed(f"systemctl start --no-block {job}")
        machine.succeed(f"sleep {moments.uniform(0.05, longest):.3f}")
        for unit in cut_short:
            cut_short[unit] += is_running(unit)
        machine.crash()
        machine.start()
        # Nobody does anything about it.
        machine.wait_for_open_port(18443)
        wait_for_height(node_tip())
        wait_for_stack()
        assert get(f"{API}/health")["database"] == "connected"

print(f"cut short: {cut_short}")

with subtest("nothing of it can be seen"):
    check_equals_twin()
    machine.succeed("systemctl start utxoracle-backup.service", "utxoracle backups")
    # What a run leaves behind that is cut short, the next one removes.
    left = machine.succeed(f"find {DATA} -name '*.new' -o -name '*.tmp' -o -name '*.part'")
    assert not left, left

check_calm()
