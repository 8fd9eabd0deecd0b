# Another version over what there is: an older database is brought up to date, a newer one is
# refused and left as it is. And another configuration, that changes nothing but the API, touches
# nothing else, forth and back.
OTHER_API = "http://127.0.0.1:8002"
DATABASE = f"{DATA}/utxoracle_cache.db"

# The program with other tables: what came before it, and what may come after it.
VERSION = """
import sys
from utxoracle.cli import main
from utxoracle.store import schema

schema.MIGRATIONS = {migrations}
sys.exit(main())
"""
BEFORE = VERSION.format(migrations="schema.MIGRATIONS[:-1]")
COMING = VERSION.format(
    migrations="(*schema.MIGRATIONS, schema.Migration(schema.known_version() + 1, 'fees',"
    " ('ALTER TABLE blocks ADD COLUMN fees BIGINT',)))"
)


def program(text: str) -> str:
    """Return the command of another version of the program, which has the settings of the units."""
    python = program_of("utxoracle-api.service")
    user = "setpriv --reuid=utxoracle --regid=utxoracle --init-groups"
    settings = "set -a; . /etc/utxoracle/utxoracle.env; set +a; umask 027"
    return f"{settings}; {user} {python} -c {shlex.quote(text)}"


def schema(command: str) -> int:
    """Return the version of the tables that are published."""
    return int(json.loads(machine.succeed(f"{command} status --json"))["schema_version"])


def lives() -> dict[str, str]:
    """Return which life of each of our units it is that goes on, but for the API's."""
    names = "'podman-*' 'utxoracle*' mnt-nvme.mount"
    show = "systemctl show --state=active --property=Id --property=InvocationID --property=MainPID"
    told = machine.succeed(f"{show} {names}").strip().split("\n\n")
    found = {re.findall(r"^Id=(.*)$", one, re.MULTILINE)[0]: one for one in told}
    return {unit: one for unit, one in found.items() if not unit.startswith("utxoracle-api.")}


def check_go_on(before: dict[str, str]) -> None:
    """Check that all units are in the life that they were in."""
    now = lives()
    changed = [one for unit, one in before.items() if now.get(unit) != one]
    assert not changed, changed


start_all()
wait_for_stack()

with subtest("tables of the version before are refused by the API until a run has changed them"):
    pause_analyze()
    machine.succeed("systemctl stop utxoracle-api.service")
    machine.succeed(f"rm -f {DATA}/*.db*")
    old = program(BEFORE)
    machine.succeed(f"{old} init-db", f"{old} analyze")
    stored = prices(old, "prices")
    before = schema(old)
    assert len(stored) > 100, len(stored)
    assert status_of(LATEST) == "503"
    assert "older version" in get(LATEST)["error"]["detail"]

with subtest("the next run changes them, keeps every price and goes on"):
    order("tip", by=2)
    machine.succeed("systemctl start utxoracle-analyze.timer")
    wait_for_height(node_tip())
    newest = schema("utxoracle")
    assert newest == before + 1
    now = prices("utxoracle", "prices")
    assert now[: len(stored)] == stored
    assert len(now) == len(stored) + 2
    machine.succeed("utxoracle doctor")

with subtest("a switch that changes the API leaves all others alone, and a run that is going on"):
    assert len(api_workers()) == 2
    set_node("--delay=1")
    order("tip", by=8)
    running = f"systemctl show --property=ActiveState --property=InvocationID {ANALYZE}"
    machine.wait_until_succeeds(f"{running} | grep -q =activating", timeout=30)
    others, run = lives(), machine.succeed(running)
    print(f"not to be touched: {', '.join(sorted(others))}")
    assert {f"podman-mempool-{name}.service" for name in CONTAINERS} < set(others), others
    machine.succeed("switch-configuration other-api")
    assert machine.succeed(running) == run
    machine.fail(f"curl --silent {API}/health")
    assert get(f"{OTHER_API}/health")["database"] == "connected"
    assert len(api_workers()) == 1
    check_go_on(others)
    answer = f"curl --fail --silent {OTHER_API}/api/prices/latest"
    machine.wait_until_succeeds(f"{answer} | grep -q '\"height\": *{node_tip()}'", timeout=120)

with subtest("the way back, too"):
    machine.succeed("switch-configuration system")
    machine.fail(f"curl --silent {OTHER_API}/health")
    assert get(f"{API}/health")["database"] == "connected"
    assert len(api_workers()) == 2
    check_go_on(others)
    set_node("")

with subtest("a newer version's tables are refused in one line, and nothing is done to them"):
    pause_analyze()
    machine.succeed("systemctl start utxoracle-backup.service")
    stored = prices("utxoracle", "prices")
    machine.succeed(f"{program(COMING)} init-db")
    order("tip", by=1)
    whole = machine.succeed(f"sha256sum {DATABASE}")
    told = one_line(run_of_analyze(5))
    assert "written by a newer utxoracle" in told, told
    assert machine.succeed(f"sha256sum {DATABASE}") == whole
    machine.succeed("systemctl restart utxoracle-api.service")
    assert "newer utxoracle" in get(LATEST)["error"]["detail"]

with subtest("the backup from before takes their place, as the runbook says"):
    machine.succeed("utxoracle restore latest")
    machine.succeed("systemctl start utxoracle-analyze.timer")
    wait_for_height(node_tip())
    assert prices("utxoracle", "prices")[:-1] == stored
    assert schema("utxoracle") == newest
    machine.succeed(f"rm {DATABASE}.before-restore-*")
    machine.succeed("utxoracle doctor")

check_calm(
    NODE_AWAY,
    *RUN_FAILED,
    # What the API says of tables that it doesn't know.
    r"utxoracle_snapshot\.db was written by (an older version|a newer utxoracle)",
)
