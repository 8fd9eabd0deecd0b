# The API under load, while blocks come, are priced and published, and backups are made: nobody who
# asks sees anything of that but newer prices.
SECONDS = 300 if is_long else 60
# Two cores may have other things to do; nobody waits for as long as this for a page.
SLOWEST = 5.0
# docs/architecture.md wants 150 of a worker, over ten years of prices.
WORKER_MB = 200
REPORT = "/tmp/load.json"

start_all()
wait_for_stack()
wait_for_height(node_tip())
# Or a run that began before a block came would be taken for the one that is started for it.
pause_analyze()
first = node_tip()

with subtest("jobs do their work while the API is asked all the time"):
    machine.succeed(
        "systemd-run --setenv=PATH --unit=load-api --property=Type=exec"
        f" bash -c 'load-api {SECONDS} >{REPORT}.new && mv {REPORT}.new {REPORT}'"
    )
    rounds = 0
    while machine.systemctl("is-active load-api.service")[0] == 0:
        order("tip", by=1)
        machine.succeed("systemctl start utxoracle-analyze.service")
        # What a run has stored is published when it ends.
        assert get(LATEST)["height"] == node_tip()
        machine.succeed("systemctl start utxoracle-backup.service")
        rounds += 1
    load = json.loads(machine.succeed(f"cat {REPORT}"))
    print(
        f"{load['answers']} answers in {SECONDS} s, {load['not_modified']} of them 304:"
        f" p50 {1000 * load['p50']:.0f} ms, p99 {1000 * load['p99']:.0f} ms, slowest"
        f" {1000 * load['slowest']:.0f} ms; {rounds} blocks stored, {rounds} backups made,"
        f" {load['publications']} publications seen"
    )

with subtest("no answer was wrong, an error, or slow"):
    assert load["failures"] == 0, load
    assert load["slowest"] < SLOWEST, load
    # Otherwise this has shown nothing.
    assert load["answers"] > 20 * SECONDS, load
    assert load["not_modified"] > load["answers"] / 10, load
    assert rounds >= SECONDS / 12, rounds
    assert load["publications"] > rounds / 2, load

with subtest("no worker has become larger than it should"):
    workers = api_workers()
    assert len(workers) == 2, workers
    for worker in workers:
        peak = machine.succeed(f"grep VmHWM /proc/{worker}/status").split()
        print(f"a worker had {int(peak[1]) / 1000:.0f} MB at most")
        assert int(peak[1]) / 1000 < WORKER_MB, peak

with subtest("all blocks are there, and all backups are whole"):
    assert node_tip() == first + rounds
    assert get(f"{API}/health")["status"] == "healthy"
    machine.succeed("systemctl start utxoracle-analyze.timer")
    machine.succeed("utxoracle backups", "utxoracle doctor")

check_calm()
