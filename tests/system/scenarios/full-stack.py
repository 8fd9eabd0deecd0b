# mempool's containers: their order, names, users, ports, and the way to the node.
ORDER = ("db", "backend", "frontend")


def moment(unit: str, what: str) -> int:
    """Return when something of a unit was, in microseconds."""
    return int(machine.succeed(f"systemctl show --value --property={what} {unit}"))


def in_container(name: str, script: str) -> str:
    """Run Python in a container, and return what it prints."""
    return machine.succeed(f"podman exec mempool-{name} python3 -c {shlex.quote(script)}").strip()


def fetched(url: str) -> str:
    """Return a program that prints what is answered."""
    return (
        f"from urllib.request import urlopen; print(urlopen('{url}', timeout=10).read().decode())"
    )


start_all()
# electrs stays away until the end: nobody may need it.
machine.succeed(
    "mkdir -p /run/systemd/system/podman-mempool-electrs.service.d",
    "printf '[Unit]\\nConditionPathExists=/electrs-may-run\\n'"
    " >/run/systemd/system/podman-mempool-electrs.service.d/absent.conf",
    "systemctl daemon-reload",
    "systemctl stop podman-mempool-electrs.service",
)
for name in ORDER:
    machine.wait_until_succeeds(f"systemctl is-active podman-mempool-{name}", timeout=120)

with subtest("each container starts when the one before it is healthy"):
    for before, after in (("db", "backend"), ("backend", "frontend")):
        healthy = moment(f"podman-mempool-{before}", "ActiveEnterTimestampMonotonic")
        started = moment(f"podman-mempool-{after}", "ExecMainStartTimestampMonotonic")
        assert healthy <= started, (before, healthy, after, started)
    for name in ("db", "backend"):
        state = machine.succeed(
            f"podman inspect --format '{{{{.State.Health.Status}}}}' mempool-{name}"
        )
        assert state.strip() == "healthy", (name, state)

with subtest("the back end waits for a database that isn't healthy"):
    machine.succeed("systemctl stop utxoracle-analyze.timer utxoracle-analyze.service")
    machine.succeed("systemctl stop podman-mempool-db.service")
    machine.fail("systemctl is-active podman-mempool-backend")
    # Frozen as soon as it runs, it never becomes healthy.
    machine.succeed("systemctl start --no-block podman-mempool-backend.service")
    machine.wait_until_succeeds("podman pause mempool-db", timeout=60)
    machine.succeed("sleep 3")
    assert machine.systemctl("is-active podman-mempool-db")[1].strip() == "activating"
    assert "mempool-backend" not in machine.succeed("podman ps --format '{{.Names}}'")
    machine.succeed("podman unpause mempool-db")
    for name in ORDER:
        machine.wait_until_succeeds(f"systemctl is-active podman-mempool-{name}", timeout=60)
    machine.succeed("systemctl start utxoracle-analyze.timer")

with subtest("names resolve, and the node is reached through the proxy alone"):
    told = in_container("frontend", "import socket; print(socket.gethostbyname('mempool-backend'))")
    assert told.startswith("10.") or told.startswith("172."), told
    environment = machine.succeed("podman exec mempool-backend env")
    host = re.findall(r"^CORE_RPC_HOST=(.*)$", environment, re.MULTILINE)[0]
    port = re.findall(r"^CORE_RPC_PORT=(.*)$", environment, re.MULTILINE)[0]
    assert '"blocks"' in in_container(
        "backend", fetched(f"http://{host}:{port}/rest/chaininfo.json")
    )
    machine.succeed("systemctl is-active utxoracle-rpc-proxy.service")
    for node in ("127.0.0.1:18443", f"{host}:18443"):
        machine.fail(
            "podman exec mempool-backend python3 -c "
            + shlex.quote(fetched(f"http://{node}/rest/chaininfo.json"))
        )

with subtest("only loopback is listened on, but for what containers need on their bridge"):
    listeners = machine.succeed("ss --no-header --listening --tcp --numeric").splitlines()
    for address in (line.split()[3] for line in listeners):
        assert address.startswith(("127.0.0.1:", "[::1]:", f"{host}:")), listeners
    assert status_of("http://127.0.0.1:8999/api/v1/backend-info") == "200"

with subtest("files on the disk are those of the containers' users"):
    data = f"{BASE}/mempool/data"
    owners = machine.succeed(f"cd {data}; stat --format '%n %u %a' mysql cache electrs")
    assert owners.split("\n")[:3] == ["mysql 392 700", "cache 1000 700", "electrs 393 700"], owners
    strange = machine.succeed(f"find {data}/mysql -not -uid 392; find {data}/cache -not -uid 1000")
    assert not strange, strange
    for name, uid in (("db", "392"), ("backend", "1000")):
        assert machine.succeed(f"podman exec mempool-{name} id -u").strip() == uid

with subtest("a back end that is restarted in mid-run costs no block"):
    machine.succeed("systemctl stop utxoracle-analyze.timer utxoracle-analyze.service")
    machine.succeed("echo OPTIONS=--delay=0.2 >/etc/simulated-node")
    machine.succeed("systemctl restart simulated-node.service")
    machine.wait_for_open_port(18443)
    order("tip", by=20)
    machine.succeed("systemctl start --no-block utxoracle-analyze.service")
    state = "systemctl show --value --property=ActiveState utxoracle-analyze.service"
    machine.wait_until_succeeds(f"{state} | grep activating", timeout=30)
    machine.succeed("sleep 2", "systemctl restart podman-mempool-backend.service")
    machine.succeed("systemctl start utxoracle-analyze.timer")
    wait_for_height(node_tip())

with subtest("all of it went on without electrs"):
    machine.fail("systemctl is-active podman-mempool-electrs.service")
    machine.succeed("rm -r /run/systemd/system/podman-mempool-electrs.service.d")
    machine.succeed("systemctl daemon-reload")
    wait_for_stack()

check_calm()
