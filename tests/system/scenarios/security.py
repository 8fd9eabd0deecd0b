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
    "capabilities": int(status["CapEff"], 16) | int(status["CapBnd"], 16),
    "gains": [what for what, may in (
        ("privileges of a program", status["NoNewPrivs"].strip() != "1"),
        ("mounts", can(call, "mount", b"none", b"/tmp", b"tmpfs", 0, None)),
        ("a user namespace", can(call, "unshare", 0x10000000)),
        ("devices", can(os.mknod, "/tmp/device", 0o20600, os.makedev(1, 1))),
    ) if may],
}, sys.stdout)
"""
# Prints which TCP ports of some addresses are open. Its frames go to the card that is meant, so
# that what no route leads to gets them, too.
SCAN = """
import json, socket, struct, sys, time

asked = json.loads(sys.argv[1])
BUFFER, OUTGOING, TCP, SYN, SYN_ACK, OWN = 33, 4, 6, 2, 0x12, 54321
card = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0800))
card.setsockopt(socket.SOL_SOCKET, BUFFER, 1 << 25)
card.bind(("eth1", 0x0800))
card.setblocking(False)
opened = set()

def total(data):
    return sum(struct.unpack(f"!{len(data) // 2}H", data))

def checksum(number):
    while number >> 16:
        number = (number & 0xffff) + (number >> 16)
    return ~number & 0xffff

def listen():
    while True:
        try:
            frame, (_, _, kind, *_) = card.recvfrom(64)
        except BlockingIOError:
            return
        packet = frame[14:]
        begin = packet[0] % 16 * 4
        port, to = struct.unpack("!HH", packet[begin:begin + 4])
        if kind != OUTGOING and packet[9] == TCP and to == OWN:
            if packet[begin + 13] & SYN_ACK == SYN_ACK:
                opened.add(f"{socket.inet_ntoa(packet[12:16])}:{port}")

def knock(address, ports):
    ends = socket.inet_aton(asked["source"]) + socket.inet_aton(address)
    ethernet = bytes.fromhex((asked["to"] + asked["from"]).replace(":", "")) + bytes([8, 0])
    begin = struct.pack("!BBHHHBB", 0x45, 0, 40, 1, 0, 64, TCP)
    ip = begin + struct.pack("!H", checksum(total(begin + ends))) + ends
    rest = struct.pack("!IIBBH", 1, 0, 0x50, SYN, 1024)
    known = total(ends + rest) + TCP + 20 + OWN
    for count, port in enumerate(ports):
        tcp = struct.pack("!HH", OWN, port) + rest
        tcp += struct.pack("!HH", checksum(known + port), 0)
        card.send(ethernet + ip + tcp)
        if count % 64 == 0:
            listen()

for address in asked["addresses"]:
    knock(address, range(1, 65536))
# Where those that listen may have been lost in the crowd.
for address in asked["addresses"]:
    knock(address, asked["again"])
end = time.monotonic() + 2
while time.monotonic() < end:
    listen()
    time.sleep(0.01)
json.dump(sorted(opened), sys.stdout)
"""

# Whether an address answers who has a name.
ASK_NAME = """
import socket, sys

question = bytes([0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0]) + b"\\x0amempool-db" + bytes([0, 0, 1, 0, 1])
asked = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
asked.settimeout(2)
asked.connect((sys.argv[1], 53))
asked.send(question)
asked.recv(512)
"""
UTXORACLE = f"{BASE}/utxoracle"
STATE = "/var/lib/utxoracle"
ROOT_DISK = ["/", "/var", "/var/lib", "/var/log", "/var/lib/containers"]
ROOT_DISK += [STATE, "/run", "/run/lock", HANDED]
SYSTEM = ["/etc", "/usr", "/home", "/root"]
ON_DISK = [DISK, BASE, UTXORACLE, DATA, f"{UTXORACLE}/logs", f"{UTXORACLE}/config"]
ON_DISK += [MEMPOOL, SECRETS]
ON_DISK += [f"{MEMPOOL}/data/{name}" for name in ("mysql", "electrs", "cache")]
OF_ROOT = [DISK, BASE, UTXORACLE, f"{UTXORACLE}/config", MEMPOOL, SECRETS]

PRICES = [f"{DATA}/utxoracle_cache.db", f"{DATA}/utxoracle_snapshot.db"]
# Those of the user of the jobs.
OWN = [f"{HANDED}/rpc-password", "/etc/utxoracle/alert-url", *PRICES]
OF_OTHERS = ["/etc/shadow", "/etc/secrets/bitcoin-rpc-password", f"{MEMPOOL}/data/mysql/ibdata1"]
OF_OTHERS += [f"{SECRETS}/db-password", f"{SECRETS}/db-root-password"]
OF_OTHERS += [f"{HANDED}/{name}" for name in ("backend.env", "db.env")]
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


def card_of(host: Any) -> tuple[str, str]:
    """Return the addresses of a host's card on the switch: those of Ethernet and of IP."""
    told = json.loads(host.succeed("ip -json -4 address show dev eth1"))[0]
    link = json.loads(host.succeed("ip -json link show dev eth1"))[0]
    return str(link["address"]), str(told["addr_info"][0]["local"])


def open_ports(source: Any, target: Any, addresses: list[str], again: list[int]) -> list[str]:
    """Return which ports of some addresses, which may be behind the target, the source finds."""
    (mine, source_address), (theirs, _) = card_of(source), card_of(target)
    asked = {"from": mine, "source": source_address, "to": theirs, "addresses": addresses}
    words = shlex.quote(json.dumps({**asked, "again": again}))
    found: list[str] = json.loads(source.succeed(f"python3 -c {shlex.quote(SCAN)} {words}"))
    return found


start_all()
wait_for_stack()
wait_for_height(node_tip())
pause_analyze()
here, there = card_of(machine)[1], card_of(attacker)[1]
# The world, as far as these two have one.
attacker.succeed(f"ip address add {INTERNET}/24 dev eth1")
machine.succeed("ip address add 203.0.113.1/24 dev eth1")
attacker.succeed("systemd-run --quiet --unit=web python3 -m http.server 8080")
attacker.wait_for_open_port(8080)
machine.succeed(f"curl --silent --fail --output /dev/null http://{INTERNET}:8080/")

told = "{{.Name}} {{.NetworkSettings.Networks.mempool.IPAddress}}"
containers = dict(
    machine.succeed(f"podman inspect --format '{told}' mempool-{name}").split()
    for name in CONTAINERS
)
bridge = containers["mempool-db"].rpartition(".")[0]

with subtest("no TCP port can be reached from another host, where the other's is found"):
    found = open_ports(machine, attacker, [there], [])
    assert found == [f"{there}:8080"], found
    tcp = machine.succeed("ss --no-header --listening --tcp --numeric").splitlines()
    listening = {int(line.split()[3].rpartition(":")[2]) for line in tcp}
    assert {8000, 8999, 18443} <= listening, tcp
    targets = [here, f"{bridge}.1", "127.0.0.1", *containers.values()]
    again = sorted({*listening, 3306}) * 3
    found = open_ports(attacker, machine, targets, again)
    assert not found, found
    # All that could be found.
    machine.succeed(f"nc -z -w 1 {containers['mempool-db']} 3306")
    machine.succeed(f"nc -z -w 1 {containers['mempool-backend']} 8999")

with subtest("names of containers are told to containers alone"):
    ask = f"python3 -c {shlex.quote(ASK_NAME)}"
    machine.succeed(f"{ask} {bridge}.1")
    # A neighbour may send here what is for the containers.
    attacker.succeed(f"ip route add {bridge}.0/24 via {here}")
    for address in (here, f"{bridge}.1"):
        attacker.fail(f"{ask} {address}")

with subtest("processes in containers have no privileges, and gain none"):
    users = {"db": "392", "electrs": "393", "backend": "1000", "frontend": "1000"}
    for name, user in users.items():
        lines = machine.succeed(f"cat /proc/{inspected(name, '.State.Pid')}/status").splitlines()
        status = {key: text.split() for key, _, text in (line.partition(":") for line in lines)}
        assert status["Uid"] == [user] * 4, (name, status)
        for kind in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
            assert int(status[kind][0], 16) == 0, (name, kind, status)
        assert status["NoNewPrivs"] == ["1"], (name, status)
        assert status["Seccomp"] == ["2"], (name, status)

node, neighbour, world = "127.0.0.1:18443", f"{there}:8080", f"{INTERNET}:8080"
may = {
    "analyze": allowed([DATA], OWN, [node, neighbour]),
    "api": allowed([], PRICES, []),
    "backup": allowed([DATA], OWN, []),
    "logs": allowed([f"{UTXORACLE}/logs"], OWN, []),
    "alert": allowed([STATE], OWN, [node, neighbour, world]),
    "alert@analyze": allowed([STATE], OWN, [node, neighbour, world]),
    "rpc-proxy": allowed([], [], [node, neighbour]),
    "p2p-proxy": allowed([], [], [node, neighbour]),
    "storage": allowed(OF_ROOT, FILES, [], CHOWN_READ_FOWNER),
    "secrets": allowed([HANDED, SECRETS], FILES, [], CHOWN_READ_FOWNER),
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

with subtest("systemd itself finds no unit more exposed than it has to be"):
    # From 0 to 100.
    limits = {"api": 5, "backup": 5, "logs": 5, "analyze": 12, "alert": 11, "alert@analyze": 11}
    limits |= {"rpc-proxy": 11, "p2p-proxy": 11, "storage": 15, "secrets": 15}
    assert set(limits) == set(may)
    for name, limit in limits.items():
        machine.succeed(f"systemd-analyze security --threshold={limit} utxoracle-{name}.service")

with subtest("what speaks to podman is root, and can't write to the system all the same"):
    found = probed("backup-mempool")
    assert not set(found["writes"]) & set(SYSTEM), found
    assert "privileges of a program" not in found["gains"], found

check_calm()
