# The node: gone, slow, back with another chain. Nobody hangs, whoever asks is told, and what came
# meanwhile is stored when it can be had.
FAILED = f"unit:{ANALYZE}"


def alerts(state: str) -> dict[str, Any]:
    """Return what the owner was told of conditions that began, or of those that are over."""
    lines = machine.succeed(f"cat {ALERTS} 2>/dev/null || true").splitlines()
    told = [json.loads(line) for line in lines]
    return {one["condition"]: one for one in told if one["state"] == state}


start_all()
wait_for_stack()
wait_for_height(node_tip())
begin_twin()
# Neither a run nor an alert comes in between.
pause_analyze()
machine.succeed("systemctl stop utxoracle-alert.timer")
stored = get(LATEST)["height"]

with subtest("a node that is gone is told of, and the prices are there as before"):
    machine.succeed("systemctl stop simulated-node.service")
    told = one_line(run_of_analyze(3))
    assert "18443" in told, told
    assert get(LATEST)["height"] == stored and status_of(LATEST) == "200"
    health = get(f"{API}/health")
    assert health["status"] == "degraded" and status_of(f"{API}/health") == "200", health
    assert health["checks"]["run"]["status"] == health["checks"]["sources"]["status"] == "warning"
    assert "unreachable" in health["checks"]["sources"]["detail"], health

with subtest("the owner is told by the failure itself, and by the next check of the sources"):
    machine.wait_until_succeeds(f"grep -q raised {ALERTS}", timeout=60)
    raised = alerts("raised")
    assert set(raised) == {FAILED}, raised
    assert raised[FAILED]["level"] == "critical", raised
    assert raised[FAILED]["context"]["exit_status"] == 3, raised
    machine.succeed("systemctl start utxoracle-alert.service")
    sources = {one for one in alerts("raised") if one.startswith("source:")}
    assert len(sources) == 2, sources

with subtest("no unit hangs, and the timer goes on trying"):
    machine.wait_until_succeeds("systemctl list-jobs | grep -q 'No jobs'", timeout=60)
    show = f"systemctl show --value --property=InvocationID {ANALYZE}"
    run = property_of(ANALYZE, "InvocationID")
    machine.succeed("systemctl start utxoracle-analyze.timer")
    machine.wait_until_succeeds(f"[ $({show}) != {run} ]", timeout=60)
    machine.succeed("systemctl is-active utxoracle-api.service utxoracle-rpc-proxy.socket")

with subtest(
    "blocks that came in the meantime are stored when it is back, without anybody's doing"
):
    machine.succeed(f"echo {stored + 4} >/var/lib/simulated-node/tip")
    machine.succeed("systemctl start simulated-node.service")
    wait_for_height(stored + 4)
    stored += 4
    machine.succeed("systemctl stop utxoracle-analyze.timer")
    state = f"systemctl show --property=ActiveState {ANALYZE}"
    machine.wait_until_succeeds(f"{state} | grep -q =inactive", timeout=60)

with subtest("the owner is told that it is over"):
    assert not alerts("cleared")
    machine.succeed("systemctl start utxoracle-alert.service")
    cleared = alerts("cleared")
    assert set(cleared) == {FAILED} | sources, cleared
    assert cleared[FAILED]["id"] == raised[FAILED]["id"], cleared
    assert get(f"{API}/health")["status"] == "healthy"

with subtest("a node that is slow is waited for"):
    # Longer for each block than a connection may take.
    set_node("--delay=6")
    order("tip", by=1)
    begin = int(machine.succeed("date +%s"))
    run_of_analyze(0)
    assert int(machine.succeed("date +%s")) - begin >= 6
    assert get(LATEST)["height"] == stored + 1

with subtest("a node that hangs up in the middle of an answer is asked again"):
    set_node("--fault=half@block*1")
    order("tip", by=2)
    run_of_analyze(0)
    assert get(LATEST)["height"] == stored + 3

with subtest("a node that comes back with another chain is followed"):
    set_node("")
    before = get(LATEST)["hash"]
    order("fork", height=stored + 2, tip=stored + 8)
    hash_of = f"curl --fail --silent {NODE}/api/v1/block-height"
    assert machine.succeed(f"{hash_of}/{stored + 3}").strip() != before
    machine.succeed("systemctl start utxoracle-analyze.timer")
    wait_for_height(stored + 8)
    assert get(LATEST)["hash"] == machine.succeed(f"{hash_of}/{stored + 8}").strip()

with subtest("the host needs no network besides"):
    machine.block()
    order("tip", by=1)
    wait_for_height(node_tip())
    machine.unblock()

with subtest("rows are those of a host that knew the last chain alone"):
    check_equals_twin()

check_calm(NODE_AWAY, *RUN_FAILED)
