# The node: gone, slow, back with another chain. Nobody hangs, whoever asks is told, and what came
# meanwhile is stored when it can be had.
ANALYZE = "utxoracle-analyze.service"
LATEST = f"{API}/api/prices/latest"
ALERTS = "/run/webhook/alerts"


def run_of_analyze(exit_code: int) -> str:
    """Run the main job, check how it ends, and return what it said."""
    since = machine.succeed("date +%s.%N").strip()
    machine.execute(f"systemctl start {ANALYZE}")
    show = f"systemctl show --value --property=ExecMainStatus {ANALYZE}"
    assert machine.succeed(show).strip() == str(exit_code)
    return machine.succeed(f"journalctl --unit={ANALYZE} --since=@{since} --output=cat")


start_all()
wait_for_stack()
wait_for_height(node_tip())
machine.succeed(f"systemctl stop utxoracle-analyze.timer {ANALYZE}")
stored = get(LATEST)["height"]

with subtest("a node that is gone is told of, and the prices are there as before"):
    machine.succeed("systemctl stop simulated-node.service")
    told = run_of_analyze(3)
    lines = [line for line in told.splitlines() if line.startswith("utxoracle: ")]
    assert len(lines) == 1 and "18443" in lines[0], told
    assert get(LATEST)["height"] == stored
    health = get(f"{API}/health")
    assert "unreachable" in json.dumps(health["checks"]["sources"]), health
    machine.succeed("systemctl start utxoracle-alert.service")
    machine.wait_until_succeeds(f"grep -q {ANALYZE} {ALERTS}", timeout=60)

with subtest("a node that is slow is waited for"):
    machine.succeed("echo OPTIONS=--delay=3 >/etc/simulated-node")
    machine.succeed("systemctl start simulated-node.service")
    machine.wait_for_open_port(18443)
    order("tip", by=3)
    run_of_analyze(0)
    assert get(LATEST)["height"] == stored + 3

with subtest("a node that hangs in the middle of an answer is given up, and tried again"):
    machine.succeed("echo OPTIONS=--fault=half@block*1 >/etc/simulated-node")
    machine.succeed("systemctl restart simulated-node.service")
    machine.wait_for_open_port(18443)
    order("tip", by=2)
    run_of_analyze(0)
    assert get(LATEST)["height"] == stored + 5

with subtest("a node that comes back with another chain is followed"):
    machine.succeed("rm /etc/simulated-node", "systemctl restart simulated-node.service")
    machine.wait_for_open_port(18443)
    before = get(LATEST)["hash"]
    order("fork", height=stored + 2, tip=stored + 8)
    machine.succeed("systemctl start utxoracle-analyze.timer")
    wait_for_height(stored + 8)
    node = f"{NODE}/api/v1/block-height/{stored + 5}"
    assert machine.succeed(f"curl --fail --silent {node}").strip() != before
    assert (
        get(LATEST)["hash"]
        == machine.succeed(f"curl --fail --silent {NODE}/api/v1/block-height/{stored + 8}").strip()
    )

with subtest("the host needs no network besides"):
    machine.block()
    order("tip", by=1)
    wait_for_height(node_tip())
    machine.unblock()

with subtest("the owner is told that it is over"):
    machine.succeed("systemctl start utxoracle-alert.service")
    assert get(f"{API}/health")["status"] == "healthy"

check_calm(
    r"^Failed to connect to remote host: Connection refused",
    r"^utxoracle-analyze\.service: Failed with result 'exit-code'",
    r"^Failed to start utxoracle-analyze\.service",
)
