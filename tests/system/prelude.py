# What all scenarios share. Both hosts put it before a scenario: the NixOS test driver, and that of
# tests/system.
import csv
import json
import re
import shlex
from typing import Any

DISK = "/mnt/nvme"
BASE = f"{DISK}/prod/apps"
DATA = f"{BASE}/utxoracle/data"
API = "http://127.0.0.1:8000"
LATEST = f"{API}/api/prices/latest"
NODE = "http://127.0.0.1:18443"
TWIN = "/var/tmp/twin"
ANALYZE = "utxoracle-analyze.service"
ALERTS = "/run/webhook/alerts"
MEMPOOL = f"{BASE}/mempool"
SECRETS, HANDED = f"{MEMPOOL}/config/secrets", "/run/utxoracle-secrets"
CONTAINERS = ("db", "electrs", "backend", "frontend")


def property_of(unit: str, what: str) -> str:
    """Return a property of a unit."""
    return machine.succeed(f"systemctl show --value --property={what} {unit}").strip()


def program_of(unit: str) -> str:
    """Return the program that a unit runs, or the interpreter of it."""
    told = machine.succeed(f"systemctl cat {unit}")
    return str(re.findall(r"^ExecStart=(\S+)", told, re.MULTILINE)[0])


def inspected(name: str, what: str) -> str:
    """Return what podman knows of a container."""
    return machine.succeed(f"podman inspect --format '{{{{{what}}}}}' mempool-{name}").strip()


def get(url: str) -> Any:
    """Return what is answered in JSON, whatever the status."""
    return json.loads(machine.succeed(f"curl --silent --show-error --max-time 20 {url}"))


def status_of(url: str) -> str:
    """Return the status of an answer."""
    return machine.succeed(f"curl --silent --output /dev/null --write-out '%{{http_code}}' {url}")


def order(what: str, **order: int) -> Any:
    """Give the simulated node an order: tip by=2, tip height=1300, fork height=1290 tip=1301."""
    body = shlex.quote(json.dumps(order))
    url = f"{NODE}/simulation/{what}"
    done = json.loads(machine.succeed(f"curl --fail --silent --show-error --data {body} {url}"))
    # A node keeps its chain over a boot.
    machine.succeed(f"echo {node_tip()} >/var/lib/simulated-node/tip; sync")
    return done


def set_node(options: str) -> None:
    """Start the node anew with options of `utxoracle simulate`, or with none."""
    machine.succeed(f"echo 'OPTIONS={options}' >/etc/simulated-node")
    machine.succeed("systemctl restart simulated-node.service")
    machine.wait_for_open_port(18443)


def node_tip() -> int:
    """Return the height of the node's newest block."""
    return int(get(f"{NODE}/simulation/tip")["height"])


def wait_for_height(height: int, timeout: int = 120) -> None:
    """Wait until the API's newest price is of a block."""
    answer = f"curl --fail --silent {LATEST}"
    machine.wait_until_succeeds(f"{answer} | grep -q '\"height\": *{height}'", timeout=timeout)


def wait_for_stack(timeout: int = 120) -> None:
    """Wait until all containers are healthy, also those that have failed before."""
    for name in CONTAINERS:
        machine.wait_until_succeeds(f"systemctl is-active podman-mempool-{name}", timeout=timeout)


def pause_analyze() -> None:
    """Let no run begin, and none go on, until its timer is started."""
    machine.succeed(f"systemctl stop utxoracle-analyze.timer {ANALYZE}")


def run_of_analyze(exit_code: int) -> str:
    """Run the main job, check how it ends, and return what it said."""
    since = machine.succeed("date +%s.%N").strip()
    status, _ = machine.execute(f"systemctl start {ANALYZE}")
    assert (status == 0) == (exit_code == 0), status
    assert property_of(ANALYZE, "ExecMainStatus") == str(exit_code)
    return machine.succeed(f"journalctl --unit={ANALYZE} --since=@{since} --output=cat")


def one_line(told: str) -> str:
    """Return the one line that the program has said of what is wrong."""
    lines = [line for line in told.splitlines() if line.startswith("utxoracle: ")]
    assert len(lines) == 1, told
    return lines[0]


def api_workers() -> list[str]:
    """Return the processes of the API that answer."""
    main = property_of("utxoracle-api.service", "MainPID")
    return machine.succeed(f"cat /proc/{main}/task/{main}/children").split()


def prices(program: str, what: str) -> list[dict[str, str]]:
    """Return what is stored, without what depends on the exchange and on when it was asked."""
    table = machine.succeed(f"{program} export --what {what} --format csv")
    return [
        {key: text for key, text in row.items() if "exchange" not in key and key != "diverges"}
        for row in csv.DictReader(table.splitlines())
    ]


def run_twin(command: str) -> str:
    """Run the program apart from the appliance: as nobody, in a folder of its own."""
    program = program_of("utxoracle-backup.service")
    settings = (
        f"UTXORACLE_DATA_DIR={TWIN} UTXORACLE_NETWORK=regtest "
        f"UTXORACLE_SOURCE=bitcoind+{NODE} UTXORACLE_EXCHANGE_URL={NODE}"
    )
    nobody = "setpriv --reuid=65534 --regid=65534 --clear-groups --reset-env"
    return machine.succeed(f"{nobody} env {settings} {program} {command}")


def begin_twin() -> None:
    """Let the twin begin at the block with which the appliance began: before others come."""
    machine.succeed(f"install -d -m 700 -o nobody {TWIN}")
    run_twin("init-db")
    run_twin("analyze --max-blocks 1")


def check_equals_twin() -> None:
    """Check that what is stored is what one has stored to whom nothing ever happened."""
    run_twin("analyze")
    for what in ("prices", "daily"):
        ours = machine.succeed(f"utxoracle export --what {what}").splitlines()
        others = run_twin(f"export --what {what}").splitlines()
        assert len(others) > 1, others
        different = sorted(set(ours) ^ set(others))
        assert ours == others, (len(ours), len(others), different[:6])


def detach_disk() -> None:
    """Pull the NVMe disk out, whoever uses it."""
    machine.succeed("detach-disk")


def attach_disk() -> None:
    """Plug the NVMe disk in again."""
    machine.succeed("attach-disk")


def move_disk(source: Any, target: Any) -> None:
    """Put the NVMe disk of a host that is off into one that was never on."""
    # That of a host in namespaces, or of a virtual machine.
    names = ("nvme/disk.img", "empty0.qcow2")
    (name,) = [one for one in names if (source.state_dir / one).exists()]
    place = target.state_dir / name
    place.parent.mkdir(parents=True, exist_ok=True)
    (source.state_dir / name).rename(place)


def boot_time() -> str:
    """Return when the host's systemd began, in seconds since 1970."""
    manager = "org.freedesktop.systemd1 /org/freedesktop/systemd1 org.freedesktop.systemd1.Manager"
    told = machine.succeed(f"busctl get-property {manager} UserspaceTimestamp")
    return f"{int(told.split()[1]) / 1e6:.6f}"


def journal_of_ours() -> list[dict[str, Any]]:
    """Return the warnings and errors of this boot by our units and containers."""
    # Where hosts share a kernel, all have one boot id.
    lines = machine.succeed(
        f"journalctl --since=@{boot_time()} --priority=warning --output=json"
        " --unit='utxoracle*' --unit='podman-*'"
    ).splitlines()
    return [json.loads(line) for line in lines]


# Ordinary in the log of a container or of podman: not worth a look by anybody.
ORDINARY = (
    r"\[(Note|Warning)\] ",
    r"Please help get to 10k stars",
    r"falling back to libaio",
)

# What is told of a run that a scenario lets fail, and by its proxy of a node that is away.
RUN_FAILED = (
    r"^utxoracle-analyze\.service: Failed with result 'exit-code'",
    r"^Failed to start utxoracle-analyze\.service",
)
NODE_AWAY = r"^Failed to connect to remote host: Connection refused"

# Where files may be written on the root disk, by us or by what we run on: Debian or NixOS.
PLACES = (
    "/etc/containers/networks/",
    "/etc/ld.so.cache",
    "/etc/machine-id",
    "/etc/resolv.conf",
    "/etc/secrets/",
    "/etc/simulated-node",
    "/etc/utxoracle/alert-url",
    "/nix/var/",
    "/var/cache/ldconfig/",
    "/var/lib/containers/",
    "/var/lib/dbus/",
    "/var/lib/dhcpcd/",
    "/var/lib/nixos/",
    "/var/lib/private/simulated-node/",
    "/var/lib/simulated-node",
    "/var/lib/systemd/",
    "/var/lib/utxoracle/",
    "/var/log/",
    f"{TWIN}/",
)


def check_calm(*expected: str) -> None:
    """Check that no unit has failed, and that nothing unexpected was told or written.

    What a scenario itself lets be told it names, by regular expressions.
    """
    lines = machine.succeed("systemctl list-units --failed --no-legend --plain").splitlines()
    # podman's own, for health checks that came too early.
    units = [line.split()[0] for line in lines if not re.match(r"[0-9a-f]{64}-", line)]
    assert not units, units

    known = [re.compile(one) for one in (*ORDINARY, *expected)]
    told = [str(one["MESSAGE"]) for one in journal_of_ours()]
    unknown = [one for one in told if not any(each.search(one) for each in known)]
    assert not unknown, unknown

    written = machine.succeed(
        f"find / -xdev -newermt @{boot_time()} -not -type d -not -path '/tmp/*'"
    ).splitlines()
    strange = [path for path in written if not path.startswith(PLACES)]
    assert not strange, strange
