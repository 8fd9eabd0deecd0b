# The main job by its timer, the API by its socket, the page and the metrics.
start_all()
machine.wait_for_unit("multi-user.target")
wait_for_stack()

with subtest("the disk is the one that is meant"):
    assert machine.succeed(f"findmnt -no FSTYPE {DISK}").strip() == "ext4"

with subtest("the timer's job stores and publishes"):
    machine.wait_for_unit("utxoracle-analyze.timer")
    wait_for_height(node_tip())
    latest = get(f"{API}/api/prices/latest")
    assert latest["is_valid"], latest
    # The chain's true price begins at $60,000.
    assert 50_000 < latest["utxoracle_price"] < 70_000, latest

with subtest("blocks that come are priced without anybody's doing"):
    order("tip", by=2)
    wait_for_height(node_tip())

with subtest("the API answers through its socket, and begins anew when it was killed"):
    machine.wait_for_unit("utxoracle-api.socket")
    assert get(f"{API}/health")["status"] == "healthy"
    machine.succeed("systemctl stop utxoracle-api.service")
    assert status_of(f"{API}/health") == "200"

with subtest("the page and the metrics are there"):
    assert "<title>utxoracle" in machine.succeed(f"curl --fail --silent {API}/")
    assert "utxoracle_build" in machine.succeed(f"curl --fail --silent {API}/metrics")

with subtest("the operator's program reads what the units read"):
    assert str(node_tip()) in machine.succeed("utxoracle status")
    machine.succeed("utxoracle doctor")

with subtest("a backup can be made and is whole"):
    machine.succeed("systemctl start utxoracle-backup.service")
    machine.succeed("utxoracle backups")

check_calm()
