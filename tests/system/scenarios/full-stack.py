# mempool's containers: their order, names, users, ports, and the way to the node.
ORDER = ("db", "backend", "frontend")


def in_container(name: str, script: str) -> str:
    """Run Python in a container, and return what it prints."""
    return machine.succeed(f"podman exec mempool-{name} python3 -c {shlex.quote(script)}").strip()


def fetched(url: str, seconds: int = 10) -> str:
    """Return a command that prints what the back end's container is answered."""
    program = (
        f"from urllib.request import urlopen; print(urlopen('{url}', timeout={seconds}).read())"
    )
    return f"podman exec mempool-backend python3 -c {shlex.quote(program)}"


def user_of(name: str) -> str:
    """Return whose a container's first process is, as the host sees it."""
    return machine.succeed(f"stat --format %u /proc/{inspected(name, '.State.Pid')}").strip()


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
begin_twin()

with subtest("each container starts when the one before it is healthy"):
    for before, after in (("db", "backend"), ("backend", "frontend")):
        healthy = int(property_of(f"podman-mempool-{before}", "ActiveEnterTimestampMonotonic"))
        started = int(property_of(f"podman-mempool-{after}", "ExecMainStartTimestampMonotonic"))
        assert healthy <= started, (before, healthy, after, started)
    for name in ("db", "backend"):
        assert inspected(name, ".State.Health.Status") == "healthy", name

with subtest("the back end waits for a database that isn't healthy"):
    pause_analyze()
    machine.succeed("systemctl stop podman-mempool-db.service")
    machine.fail("systemctl is-active podman-mempool-backend")
    # Frozen as soon as it runs, it never becomes healthy.
    machine.succeed("systemctl start --no-block podman-mempool-backend.service")
    machine.wait_until_succeeds("podman pause mempool-db", timeout=60)
    machine.succeed("sleep 3")
    assert machine.systemctl("is-active podman-mempool-db")[1].strip() == "activating"
    assert "mempool-backend" not in machine.succeed("podman ps --format '{{.Names}}'")
    machine.succeed("podman unpause mempool-db")
    for name in ORDER[:2]:
        machine.wait_until_succeeds(f"systemctl is-active podman-mempool-{name}", timeout=60)
    machine.succeed("systemctl start podman-mempool-frontend.service")

with subtest("containers find each other by name"):
    for of, asked in (("backend", "db"), ("backend", "frontend"), ("frontend", "backend")):
        script = f"import socket; print(socket.gethostbyname('mempool-{asked}'))"
        told = in_container(of, script)
        assert told == inspected(asked, ".NetworkSettings.Networks.mempool.IPAddress"), told

with subtest("the node is reached through the proxy alone"):
    environment = machine.succeed("podman exec mempool-backend env")
    host = re.findall(r"^CORE_RPC_HOST=(.*)$", environment, re.MULTILINE)[0]
    port = re.findall(r"^CORE_RPC_PORT=(.*)$", environment, re.MULTILINE)[0]
    chain = "rest/chaininfo.json"
    assert '"blocks"' in machine.succeed(fetched(f"http://{host}:{port}/{chain}"))
    for node in ("127.0.0.1:18443", f"{host}:18443"):
        machine.fail(fetched(f"http://{node}/{chain}", seconds=2))
    proxy = "utxoracle-rpc-proxy.socket utxoracle-rpc-proxy.service"
    machine.succeed(f"systemctl stop {proxy}")
    machine.fail(fetched(f"http://{host}:{port}/{chain}", seconds=2))
    machine.succeed("systemctl start utxoracle-rpc-proxy.socket")
    machine.succeed(fetched(f"http://{host}:{port}/{chain}"))

with subtest("only loopback is listened on, but for what containers need on their bridge"):
    listeners = machine.succeed("ss --no-header --listening --tcp --numeric").splitlines()
    # Names, and the node's two proxies.
    own = {f"{host}:{number}" for number in (53, 8301, 8302)}
    for address in (line.split()[3] for line in listeners):
        assert address.startswith(("127.0.0.1:", "[::1]:")) or address in own, listeners
    assert f"{host}:{port}" in own
    assert status_of("http://127.0.0.1:8999/api/v1/backend-info") == "200"

with subtest("files on the disk are those of the containers' users"):
    data = f"{MEMPOOL}/data"
    owners = machine.succeed(f"cd {data}; stat --format '%n %u %a' mysql cache electrs")
    assert owners.split("\n")[:3] == ["mysql 392 700", "cache 1000 700", "electrs 393 700"], owners
    strange = machine.succeed(f"find {data}/mysql -not -uid 392; find {data}/cache -not -uid 1000")
    assert not strange, strange
    for name, uid in (("db", "392"), ("backend", "1000"), ("frontend", "1000")):
        assert user_of(name) == uid, name

with subtest("a back end that is restarted in mid-run costs no block"):
    machine.succeed("systemctl start utxoracle-analyze.service")
    stored = node_tip()
    wait_for_height(stored)
    # So slow that the run is still going on when the back end has gone.
    set_node("--delay=0.5")
    order("tip", by=12)
    machine.succeed("systemctl start --no-block utxoracle-analyze.service")
    show = "systemctl show --value utxoracle-analyze.service"
    main = f"/proc/$({show} --property=MainPID)/cmdline"
    machine.wait_until_succeeds(f"grep -a analyze {main}", timeout=60)
    run = machine.succeed(f"{show} --property=InvocationID")
    machine.succeed("sleep 2", "systemctl stop podman-mempool-backend.service")
    machine.succeed(f"grep -a analyze {main}")
    assert machine.succeed(f"{show} --property=InvocationID") == run
    machine.succeed("systemctl start podman-mempool-frontend.service")
    machine.wait_until_succeeds(
        f"{show} --property=ActiveState | grep -qE '^(inactive|failed)$'", timeout=120
    )
    set_node("")
    machine.succeed("systemctl start utxoracle-analyze.timer")
    # Unless the run itself ended well, the next one does.
    wait_for_height(stored + 12)
    check_equals_twin()

with subtest("all of it went on without electrs"):
    machine.fail("systemctl is-active podman-mempool-electrs.service")
    machine.succeed("rm -r /run/systemd/system/podman-mempool-electrs.service.d")
    machine.succeed("systemctl daemon-reload")
    wait_for_stack()
    assert user_of("electrs") == "393"

check_calm()
