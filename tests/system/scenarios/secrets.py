# Passwords: known to those who need them and to nobody else, the same after a boot, and on the disk
# that is moved to another host.
FILES = {
    "db": f"{BASE}/mempool/config/secrets/db-password",
    "db-root": f"{BASE}/mempool/config/secrets/db-root-password",
    "rpc": "/etc/secrets/bitcoin-rpc-password",
    "alert": "/etc/utxoracle/alert-url",
}
# Who may read what, beside root: MariaDB's user, electrs', and the back end's.
READERS = {
    "utxoracle": {"rpc", "alert"},
    "utxoracle-api": set(),
    "392": {"db", "db-root"},
    "393": {"rpc"},
    "1000": {"db", "rpc"},
    "nobody": set(),
}
# Of the store, what is made for this appliance.
STORE = "/nix/store/*unit-script* /nix/store/*utxoracle*"
WHERE = f"/etc /run /var /tmp /srv /home /root {STORE} {DISK}"

# What is on any command line from now on, until /run/argv/stop is there.
SAMPLER = """
import glob, pathlib
seen = set()
while not pathlib.Path("/run/argv/stop").exists():
    for path in glob.glob("/proc/[0-9]*/cmdline"):
        try:
            seen.add(pathlib.Path(path).read_bytes())
        except OSError:
            pass
pathlib.Path("/run/argv/seen").write_bytes(b"\\n".join(seen))
"""


def keep_patterns() -> str:
    """Keep the secrets where later commands look them up, and return them."""
    machine.succeed("install -d -m 700 /run/patterns")
    for name, path in FILES.items():
        machine.succeed(f"cat {path} >/run/patterns/{name}")
    return machine.succeed("cat /run/patterns/*")


def shown_by(command: str, reader: str = "root") -> set[str]:
    """Return which secrets a command shows to a user."""
    # Those of containers have no name here.
    group, groups = (
        (reader, "--clear-groups")
        if reader.isdecimal()
        else (f"$(id -g {reader})", "--init-groups")
    )
    become = f"setpriv --reuid={reader} --regid={group} {groups}"
    # Most of its errors are of what it can't read.
    machine.execute(f"{become} bash -c {shlex.quote(command)} >/run/patterns/shown 2>/dev/null")
    assert int(machine.succeed("stat --format %s /run/patterns/shown")) > 0, (reader, command)
    look = "grep --quiet --text --fixed-strings --file=/run/patterns"
    return {name for name in FILES if machine.execute(f"{look}/{name} /run/patterns/shown")[0] == 0}


machine.start()
wait_for_stack()
wait_for_height(node_tip())
kept = keep_patterns()

with subtest("they are on no command line, whatever starts and stops"):
    machine.succeed("install -d /run/argv")
    machine.succeed(
        f"systemd-run --quiet --nice=10 --unit=sampler python3 -c {shlex.quote(SAMPLER)}"
    )
    machine.succeed("systemctl restart podman-mempool-db.service")
    wait_for_stack()
    machine.succeed(
        "systemctl start utxoracle-backup.service",
        "systemctl start utxoracle-backup-mempool.service utxoracle-alert.service",
        "touch /run/argv/stop",
    )
    machine.wait_until_succeeds("test -s /run/argv/seen")
    machine.succeed("grep --quiet --text mariadb /run/argv/seen")
    assert shown_by("cat /run/argv/seen") == set()

with subtest("files and environments show them to those who need them, and to nobody else"):
    find = f"find {WHERE} -type f -readable -size -1024k -exec cat {{}} +"
    # Also what a folder that can't be listed may let through.
    named = machine.succeed(f"find /run/utxoracle-secrets {BASE}/mempool/config -type f").split()
    assert len(named) >= 6, named
    others = "cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline"
    for reader, meant in READERS.items():
        shown = shown_by(f"{find}; cat {' '.join([*named, *FILES.values()])}; {others}", reader)
        assert shown == meant, (reader, shown)

with subtest("neither the journal nor what systemd tells shows them"):
    assert shown_by("journalctl --output=export") == set()
    assert (
        shown_by("systemctl show 'utxoracle*' 'podman-*'; systemctl cat 'utxoracle*' 'podman-*'")
        == set()
    )
    assert (
        shown_by(f"find {STORE} -type f -exec cat {{}} +; cat /etc/systemd/system/*.service")
        == set()
    )

with subtest("their files have the modes that are documented"):
    modes = "stat --format '%U %a' "
    assert machine.succeed(modes + f"{BASE}/mempool/config/secrets").strip() == "root 700"
    for name in ("db", "db-root"):
        assert machine.succeed(modes + FILES[name]).strip() == "root 600"

with subtest("a boot changes none of them"):
    machine.shutdown()
    machine.start()
    wait_for_stack()
    assert keep_patterns() == kept

check_calm()

with subtest("a disk that is moved to another host is at home there"):
    own = machine.succeed(f"cat {FILES['db']}")
    stored = machine.succeed("utxoracle export").splitlines()
    machine.shutdown()
    move_disk(machine, fresh)
    machine = fresh
    machine.start()
    # MariaDB is healthy if its database opens with the password that came along.
    wait_for_stack()
    assert machine.succeed(f"cat {FILES['db']}") == own
    wait_for_height(node_tip())
    machine.succeed("systemctl stop utxoracle-analyze.timer utxoracle-analyze.service")
    assert machine.succeed("utxoracle export").splitlines()[: len(stored)] == stored

check_calm()
