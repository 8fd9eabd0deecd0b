# A stack of docker compose and a price job, set up by hand, are taken over as the documentation
# tells the operator: nothing is lost, all belongs to whom it has to, and units go on with it.
OLD = "/mnt/nvme/old"
CRON = "/etc/cron.d/utxoracle"
ALERT_URL = "/etc/utxoracle/alert-url"
RPC_PASSWORD = "/etc/secrets/bitcoin-rpc-password"
MIGRATE = f"utxoracle migrate --from {OLD} --to {BASE}"

# Whom images of docker run as, and a user of the machine.
DOCKER_MARIADB, DOCKER_MEMPOOL, SOMEBODY = "999:999", "1000:1000", "1001:1001"

COMPOSE = """\
services:
  db:
    image: mariadb:10.5.21
    environment:
      MYSQL_DATABASE: mempool
      MYSQL_USER: mempool
      MYSQL_PASSWORD: ${MYSQL_PASSWORD}
    volumes:
      - ./data/mysql:/var/lib/mysql
"""
ROWS = {
    "2025-11-01": (109888.79, 109876.54),
    "2025-11-02": (110002.10, 110001.25),
    "2025-11-03": (None, 108400.0),
}
OLD_BACKUP = "utxoracle_cache_2025-11-02.db"
# The table as its first script made it.
DATABASE = """
import duckdb
path, days = {path!r}, {days!r}
with duckdb.connect(path, config={{"storage_compatibility_version": "v1.0.0"}}) as connection:
    connection.execute(
        "CREATE TABLE price_analysis (date DATE PRIMARY KEY, exchange_price DECIMAL(12, 2), "
        "utxoracle_price DECIMAL(12, 2), price_difference DECIMAL(12, 2), "
        "avg_pct_diff DECIMAL(6, 2), confidence DECIMAL(5, 4), tx_count INTEGER, "
        "is_valid BOOLEAN DEFAULT TRUE)"
    )
    for day, (exchange, price) in days.items():
        connection.execute(
            "INSERT INTO price_analysis VALUES (?, ?, ?, NULL, NULL, 0.8712, 1234, TRUE)",
            [day, exchange, price],
        )
"""
QUERY = (
    "podman exec mempool-db sh -c 'MYSQL_PWD=$MARIADB_PASSWORD exec mariadb --user=$MARIADB_USER "
    '--skip-column-names --execute="SELECT number FROM state" mempool\''
)


def read(path: str) -> str:
    """Return what a file holds."""
    return machine.succeed(f"cat {path}").strip()


def write(path: str, text: str) -> None:
    """Write a file and the folders that it is in."""
    machine.succeed(f"mkdir -p $(dirname {path}); printf %s {shlex.quote(text)} >{path}")


def write_database(path: str, days: list[str]) -> None:
    """Write a database of the price job, by the Python that the API has."""
    python = program_of("utxoracle-api.service")
    text = DATABASE.format(path=path, days={day: ROWS[day] for day in days})
    machine.succeed(f"mkdir -p $(dirname {path}); {python} -c {shlex.quote(text)}")


def all_of(*places: str) -> str:
    """Return names, owners, modes, sizes and times of all that is there."""
    look = f"find {' '.join(places)} -printf '%p %U:%G %m %s %T@\\n' | sort"
    return machine.succeed(look)


def owner(path: str) -> str:
    """Return whose a file is, and its mode."""
    return machine.succeed(f"stat -c '%u:%g %a' {path}").strip()


start_all()
machine.wait_for_unit("multi-user.target")
wait_for_stack()
machine.succeed(
    "systemctl stop utxoracle.target 'utxoracle-*.timer'",
    "systemctl stop utxoracle-analyze.service",
)
machine.wait_until_fails("podman ps --quiet | grep .", timeout=60)

# What MariaDB and the others have made is what a stack that was set up by hand has made.
secrets = [read(f"{SECRETS}/db-password"), read(RPC_PASSWORD), read(ALERT_URL)]
password, rpc_password, alert_url = secrets
stack, job = f"{OLD}/mempool-stack", f"{OLD}/utxoracle"
machine.succeed(f"mkdir -p {stack}/data", f"mv {BASE}/mempool/data/* {stack}/data", f"rm -r {BASE}")
write(f"{stack}/docker-compose.yml", COMPOSE)
write(
    f"{stack}/.env",
    f"CORE_RPC_HOST=127.0.0.1\nCORE_RPC_PORT=18443\nCORE_RPC_USERNAME=mempool\n"
    f"CORE_RPC_PASSWORD={rpc_password}\nMYSQL_PASSWORD={password}\n",
)
write(f"{stack}/data/electrs/regtest/CURRENT", "MANIFEST-000004\n")
write(f"{job}/.env", f"DUCKDB_PATH={job}/data/utxoracle_cache.db\nALERT_WEBHOOK_URL={alert_url}\n")
write(f"{job}/logs/cron.log", "started\n")
write_database(f"{job}/data/utxoracle_cache.db", [*ROWS])
write_database(f"{job}/data/backups/{OLD_BACKUP}", [*ROWS][:1])
write(CRON, f"*/10 * * * * root cd {job} && python3 scripts/daily_analysis.py\n")
machine.succeed(
    f"chown -R {DOCKER_MARIADB} {stack}/data/mysql",
    f"chown -R {DOCKER_MEMPOOL} {stack}/data/electrs {stack}/data/cache",
    f"chown -R {SOMEBODY} {job}",
    f"systemd-run --unit=by-hand --working-directory={job} sleep 1h",
)
begin = all_of(OLD)

with subtest("the folders are made where the appliance has them"):
    machine.succeed("systemctl start utxoracle-storage.service")
    assert owner(DATA) == "390:390 750"

with subtest("the plan names what would start the old jobs, and moves nothing"):
    plan = machine.succeed(f"{MIGRATE} 2>&1")
    assert f"cron still runs it: {CRON}, line 1" in plan, plan
    assert f"rm {CRON}" in plan, plan
    assert "sleep" in plan, plan
    assert "Nothing was done" in plan, plan
    told = machine.fail(f"{MIGRATE} --apply 2>&1")
    assert "nothing was moved" in told, told
    assert all_of(OLD) == begin

with subtest("what is in the way is ended, and the tree is taken over"):
    machine.succeed(f"rm {CRON}", "systemctl stop by-hand.service")
    done = machine.succeed(f"{MIGRATE} --apply 2>&1")
    assert "4 in 2 files" in done and "imported 4 new" in done, done
    assert not [secret for secret in secrets if secret in plan + told + done]
    assert not machine.succeed(f"find {stack}/data -type f").split()

with subtest("what the plan tells to type mends the owners, and hands the alerts' address over"):
    commands = re.findall(r"chown -R \d+:\d+ \S+", done) + re.findall(
        r"^ +(install .*)", done, re.M
    )
    assert len(commands) == 3, done
    machine.succeed(f"rm {ALERT_URL}", *commands)
    assert owner(ALERT_URL).startswith("390:"), owner(ALERT_URL)
    assert read(ALERT_URL) == alert_url
    for name, uid in (("mysql", 392), ("electrs", 393), ("cache", 1000)):
        others = f"find {BASE}/mempool/data/{name} -not -uid {uid}"
        assert machine.succeed(others) == "", name
    for name, text in (("db-password", password), ("bitcoin-rpc-password", rpc_password)):
        assert read(f"{SECRETS}/{name}") == text, name
        assert owner(f"{SECRETS}/{name}") == "0:0 600", name
    assert owner(SECRETS) == "0:0 700"

with subtest("the old prices are there as they were, and each says where it was"):
    exported = machine.succeed("utxoracle export --what predecessor --format json")
    rows = {
        (one["origin"], one["date"]): (one["exchange_price"], one["utxoracle_price"])
        for one in json.loads(exported)
    }
    origin, old_backup = "utxoracle/data/utxoracle_cache.db", f"utxoracle/data/backups/{OLD_BACKUP}"
    first = next(iter(ROWS))
    assert rows == {(old_backup, first): ROWS[first]} | {
        (origin, day): prices for day, prices in ROWS.items()
    }, exported

with subtest("units go on with what was taken over"):
    machine.succeed("systemctl start utxoracle.target timers.target")
    wait_for_stack()
    assert machine.succeed(QUERY).strip() == "112"
    wait_for_height(node_tip())
    # The first one makes the folder.
    for name in ("utxoracle-backup", "utxoracle-backup-mempool"):
        machine.succeed(f"systemctl start {name}.service")
    machine.succeed("utxoracle doctor")

with subtest("a second time changes nothing"):
    pause_analyze()
    places = (OLD, f"{BASE}/mempool/config", f"{DATA}/predecessor")
    before = all_of(*places)
    again = json.loads(machine.succeed(f"{MIGRATE} --apply --json"))
    assert (again["rows"]["new"], again["rows"]["changed"]) == (0, 0), again
    assert again["rows"]["unchanged"] == 4, again
    assert all_of(*places) == before
    assert machine.succeed("utxoracle export --what predecessor --format json") == exported

check_calm()
