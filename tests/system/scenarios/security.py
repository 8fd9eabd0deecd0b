# What is open: from another host, nothing; from inside of each unit, what it needs.
PROBE = """
import ctypes, json, os, socket, sys

# Tells on standard output what can be done by whoever runs it.

def can(attempt, *words):
    try:
        attempt(*words)
    except (OSError, ValueError):
        return False
    return True

def write(place):
    path = os.path.join(place, "probe")
    os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
    os.unlink(path)

def reach(host, port):
    socket.create_connection((host, port), timeout=2).close()

libc = ctypes.CDLL(None, use_errno=True)

def call(name, *words):
    if getattr(libc, name)(*words) != 0:
        raise OSError(ctypes.get_errno(), name)

asked = json.load(open("/run/probe/asked"))
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
pids = [name for name in os.listdir("/proc") if name.isdecimal()]
others = [pid for pid in pids if can(os.listdir, f"/proc/{pid}/fd")]
json.dump({
    "writes": [place for place in asked["places"] if can(write, place)],
    "reads": [path for path in asked["files"] if can(lambda: open(path, "rb").read(1))],
    "reaches": [f"{host}:{port}" for host, port in asked["hosts"] if can(reach, host, port)],
    "sees others": len(others) > 1,
    "capabilities": int(status["CapEff"], 16),
    "gains": [what for what, may in (
        ("privileges of a program", status["NoNewPrivs"].strip() != "1"),
        ("mounts", can(call, "mount", b"none", b"/tmp", b"tmpfs", 0, None)),
        ("a user namespace", can(call, "unshare", 0x10000000)),
        ("devices", can(os.mknod, "/tmp/device", 0o20600, os.makedev(1, 1))),
    ) if may],
}, sys.stdout)
"""
UTXORACLE, MEMPOOL = f"{BASE}/utxoracle", f"{BASE}/mempool"
SECRETS = f"{MEMPOOL}/config/secrets"
ROOT_DISK = ["/", "/var", "/var/lib", "/var/log", "/var/lib/containers"]
SYSTEM = ["/etc", "/usr", "/home", "/root"]
ON_DISK = [DISK, BASE, UTXORACLE, DATA, f"{UTXORACLE}/logs", f"{UTXORACLE}/config"]
ON_DISK += [MEMPOOL, f"{MEMPOOL}/data/mysql", SECRETS]
OF_ROOT = [DISK, BASE, UTXORACLE, f"{UTXORACLE}/config", MEMPOOL, SECRETS]

PRICES = [f"{DATA}/utxoracle_cache.db", f"{DATA}/utxoracle_snapshot.db"]
# Those of the user of the jobs.
OWN = ["/run/utxoracle-secrets/rpc-password", "/etc/utxoracle/alert-url", *PRICES]
OF_OTHERS = ["/etc/shadow", "/etc/secrets/bitcoin-rpc-password", f"{MEMPOOL}/data/mysql/ibdata1"]
OF_OTHERS += [f"{SECRETS}/db-password", f"{SECRETS}/db-root-password"]
OF_OTHERS += [f"/run/utxoracle-secrets/{name}" for name in ("backend.env", "db.env")]
FILES = OWN + OF_OTHERS

INTERNET = "203.0.113.7"
CHOWN_READ_FOWNER = 0b1101


def allowed(
    writes: list[str], reads: list[str], reaches: list[str], capabilities: int = 0
) -> dict[str, Any]:
    """Return what a unit can do that can't gain more."""
    # Who has a capability sees the processes of others: root does.
    return {
        "writes": writes,
        "reads": reads,
        "reaches": reaches,
        "sees others": capabilities != 0,
        "capabilities": capabilities,
        "gains": [],
    }


def probed(name: str) -> Any:
    """Return what can be done from inside of a unit: by its file, with another program."""
    text = machine.succeed(f"systemctl cat utxoracle-{name}.service")
    # Neither how it runs nor what it waits for.
    dropped = "Exec|Type|Restart|NotifyAccess|X-|OnFailure|Requires=|PartOf|After|Before|Wants"
    kept = re.sub(rf"(?m)^({dropped}).*\n", "", text).partition("[Install]")[0]
    python = machine.succeed("readlink --canonicalize $(command -v python3)").strip()
    begin = f"Type=oneshot\nExecStart={python} /run/probe/probe.py\n"
    begin += f"StandardOutput=file:/run/probe/{name}.json\n"
    unit = kept.replace("[Service]\n", f"[Service]\n{begin}")
    machine.succeed(
        f"printf %s {shlex.quote(unit)} >/run/systemd/system/probe-{name}.service",
        f"systemctl daemon-reload && systemctl start probe-{name}.service",
    )
    return json.loads(machine.succeed(f"cat /run/probe/{name}.json"))


def address_of(host: Any) -> str:
    """Return a host's address on the switch."""
    told = json.loads(host.succeed("ip -json -4 address show dev eth1"))
    return str(told[0]["addr_info"][0]["local"])


start_all()
wait_for_stack()
wait_for_height(node_tip())
machine.succeed("systemctl stop utxoracle-analyze.timer utxoracle-analyze.service")
here, there = address_of(machine), address_of(attacker)
# The world, as far as these two have one.
attacker.succeed(f"ip address add {INTERNET}/24 dev eth1")
machine.succeed("ip address add 203.0.113.1/24 dev eth1")
attacker.succeed("systemd-run --quiet --unit=web python3 -m http.server 8080")
attacker.wait_for_open_port(8080)
machine.succeed(f"curl --silent --fail --output /dev/null http://{INTERNET}:8080/")

with subtest("nothing that listens can be reached from another host"):
    tcp = machine.succeed("ss --no-header --listening --tcp --numeric").splitlines()
    ports = {line.split()[3].rpartition(":")[2] for line in tcp}
    assert {"8000", "8999", "18443"} <= ports, tcp
    inside = machine.succeed(
        "podman inspect --format '{{range .NetworkSettings.Networks}}"
        "{{.IPAddress}} {{end}}' mempool-db mempool-backend"
    ).split()
    bridge = inside[0].rpartition(".")[0]
    # A neighbour may send here what is for the containers.
    attacker.succeed(f"ip route add {bridge}.0/24 via {here}")
    for host in (here, f"{bridge}.1"):
        for port in sorted(ports):
            attacker.fail(f"nc -z -w 1 {host} {port}")
    for host, port in zip(inside, ("3306", "8999"), strict=True):
        machine.succeed(f"nc -z -w 1 {host} {port}")
        attacker.fail(f"nc -z -w 1 {host} {port}")

node, neighbour, world = "127.0.0.1:18443", f"{there}:8080", f"{INTERNET}:8080"
may = {
    "analyze": allowed([DATA], OWN, [node, neighbour]),
    "api": allowed([], PRICES, []),
    "backup": allowed([DATA], OWN, []),
    "logs": allowed([f"{UTXORACLE}/logs"], OWN, []),
    "alert": allowed([], OWN, [node, neighbour, world]),
    "rpc-proxy": allowed([], [], [node, neighbour]),
    "p2p-proxy": allowed([], [], [node, neighbour]),
    "storage": allowed(OF_ROOT, FILES, [], CHOWN_READ_FOWNER),
    "secrets": allowed([SECRETS], FILES, [], CHOWN_READ_FOWNER),
}
hosts = [one.split(":") for one in (node, neighbour, world)]
asked = {"places": ROOT_DISK + SYSTEM + ON_DISK, "files": FILES, "hosts": hosts}
machine.succeed(
    "install -d -m 755 /run/probe",
    f"printf %s {shlex.quote(PROBE)} >/run/probe/probe.py",
    f"printf %s {shlex.quote(json.dumps(asked))} >/run/probe/asked",
)
for name, meant in may.items():
    with subtest(f"utxoracle-{name} can do what it must, and no more"):
        found = probed(name)
        assert found == meant, (found, meant)

with subtest("what speaks to podman is root, and can't write to the system all the same"):
    found = probed("backup-mempool")
    assert not set(found["writes"]) & set(SYSTEM), found
    assert "privileges of a program" not in found["gains"], found

check_calm()
