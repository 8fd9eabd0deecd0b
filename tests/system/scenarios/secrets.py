# Passwords: known to those who need them and to nobody else, the same after a boot, and on the disk
# that is moved to another host.
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
FILES = {
    "db": f"{SECRETS}/db-password",
    "db-root": f"{SECRETS}/db-root-password",
    "rpc": "/etc/secrets/bitcoin-rpc-password",
    "alert": "/etc/utxoracle/alert-url",
}
MODES = {
    SECRETS: "root 700",
    f"{SECRETS}/db-password": "root 600",
    f"{SECRETS}/db-root-password": "root 600",
    # Whoever knows a name there may try it.
    HANDED: "root 711",
    f"{HANDED}/backend.env": "root 600",
    f"{HANDED}/db.env": "root 600",
    f"{HANDED}/rpc-password": "utxoracle 600",
    f"{HANDED}/electrs": "root 711",
    f"{HANDED}/electrs/.cookie": "utxoracle-electrs 600",
}

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


def check_hidden(command: str, reader: str = "root") -> None:
    """Check that a command shows none of the secrets."""
    shown = shown_by(command, reader)
    assert not shown, (command, shown)


def changed_files() -> str:
    """Return a command that prints what was written or made readable since the boot."""
    # Passwords are random, so nothing older has them; nobody can set when a file was changed.
    other = "\\( -path /proc -o -path /sys -o -path /nix \\) -prune"
    return f"find / {other} -o -type f -newerct @{boot_time()} -readable -exec cat {{}} +"


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
        "systemctl start utxoracle-analyze.service utxoracle-backup.service",
        "systemctl start utxoracle-backup-mempool.service utxoracle-alert.service",
        "podman healthcheck run mempool-db && podman healthcheck run mempool-backend",
        "touch /run/argv/stop",
    )
    machine.wait_until_succeeds("test -s /run/argv/seen")
    machine.succeed("grep --quiet --text mariadb /run/argv/seen")
    check_hidden("cat /run/argv/seen")

with subtest("files and environments show them to those who need them, and to nobody else"):
    # Also what a folder that can't be listed may let through.
    named = " ".join([*MODES, *FILES.values()])
    others = "cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline"
    for reader, meant in READERS.items():
        shown = shown_by(f"{changed_files()}; cat {named}; {others}", reader)
        assert shown == meant, (reader, shown)

with subtest("neither the journal nor what systemd tells shows them"):
    check_hidden("journalctl --output=export")
    check_hidden("systemctl show '*'; systemctl cat 'utxoracle*' 'podman-*'")
    units = "cat /etc/systemd/system/*.service"
    check_hidden(f"find {STORE} -type f -exec cat {{}} +; {units}")

with subtest("what podman tells of containers shows what it must, to root alone"):
    told = "podman inspect mempool-db mempool-backend mempool-electrs mempool-frontend"
    shown = shown_by(told)
    assert shown == {"db", "db-root", "rpc"}, shown
    check_hidden(f"{told}; echo done", "nobody")

with subtest("their files have the owners and modes that are documented"):
    found = machine.succeed(f"find {SECRETS} {HANDED} -printf '%p %u %m\\n'").splitlines()
    assert dict(line.split(" ", 1) for line in found) == MODES, found

with subtest("a boot changes none of them"):
    machine.shutdown()
    machine.start()
    wait_for_stack()
    assert keep_patterns() == kept, "a secret is another one"

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
    pause_analyze()
    assert machine.succeed("utxoracle export").splitlines()[: len(stored)] == stored
    keep_patterns()
    check_hidden("journalctl --output=export")
    check_hidden(changed_files(), "nobody")

check_calm()
