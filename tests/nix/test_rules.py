"""Rules that each stand for a failure which was seen; they hold in every configuration."""

import re

import pytest

from tests.nix.golden import cases, kept

DISK = re.compile(
    r"^(?:podman-mempool-.*|bitcoind-.*|utxoracle-(?:analyze|backup.*|logs|secrets))\.service$"
)
NODES = {
    *(8332, 8333, 18332, 18333, 48332, 48333, 38332, 38333, 18443, 18444),
}
"""Ports that nodes have by default; one that listens everywhere has them on the bridge, too."""

ONCE = ("analyze", "backup", "backup-mempool", "logs", "secrets", "storage", "alert", "alert@")


def units(case, kind="service"):
    return {
        path.removeprefix("systemd/"): read(text)
        for path, text in kept(case).items()
        if path.startswith("systemd/") and path.endswith(f".{kind}")
    }


def read(text):
    found = {}
    for line in text.splitlines():
        key, equals, value = line.partition("=")
        if equals:
            found.setdefault(key, []).append(value)
    return found


def machine(case):
    text = kept(case)["machine.txt"]
    parts = [part.partition("\n") for part in text.strip().split("# ")[1:]]
    return {head.partition(":")[0]: body.split("\n") for head, _, body in parts}


def env(case):
    return kept(case)["etc/utxoracle/utxoracle.env"]


def words(unit, key):
    return " ".join(unit.get(key, [])).split()


@pytest.mark.parametrize("case", cases())
def test_what_touches_the_disk_asserts_that_it_is_mounted(case):
    for name, unit in units(case).items():
        if not DISK.match(name):
            continue
        assert "utxoracle-storage.service" in words(unit, "Requires"), name
        assert "utxoracle-storage.service" in words(unit, "After"), name
        assert unit["RequiresMountsFor"], name
        if case != "root-disk":
            assert "/mnt/nvme" in unit["AssertPathIsMountPoint"], name


@pytest.mark.parametrize("case", cases())
def test_the_storage_unit_is_looked_at_anew_by_each_start(case):
    unit = units(case)["utxoracle-storage.service"]
    assert "RemainAfterExit" not in unit
    assert unit["AssertPathIsMountPoint" if case != "root-disk" else "RequiresMountsFor"]


@pytest.mark.parametrize("case", cases())
def test_what_runs_once_is_wanted_by_no_target_and_left_alone_by_a_switch(case):
    links = machine(case)["links in /etc/systemd/system"]
    for name, unit in units(case).items():
        if name.removeprefix("utxoracle-").removesuffix(".service") in ONCE:
            assert unit["Type"] == ["oneshot"]
            assert unit["X-RestartIfChanged"] == ["false"], name
            assert "TimeoutStartSec" in unit, name
            assert not [link for link in links if link.endswith(f"/{name}")]


@pytest.mark.parametrize("case", cases())
def test_only_long_running_units_are_part_of_the_target(case):
    for kind in ("service", "socket", "timer"):
        for name, unit in units(case, kind).items():
            if "utxoracle.target" in words(unit, "PartOf"):
                assert unit.get("Type") != ["oneshot"] and kind != "timer", name


@pytest.mark.parametrize("case", cases())
def test_nothing_but_the_api_is_open_to_others_and_only_when_asked(case):
    found = machine(case)
    for line in filter(None, found["ports of containers"]):
        assert line.split()[1].startswith("127.0.0.1:"), line
    opened = [*filter(None, found["ports that the firewall opens to everyone"])]
    assert opened == (["8000"] if case == "full" else [])
    if "mempool-backend" in "".join(found["images"]):
        rules = " ".join(found["rules of its own"])
        assert "-I FORWARD ! -i br-mempool -o br-mempool" in rules or "ct state new drop" in rules
    for line in filter(None, found["ports that it opens on an interface"]):
        assert line.startswith("br-mempool ")
    for name, socket in units(case, "socket").items():
        assert socket["IPAddressDeny"] == ["any"], name
        assert socket["IPAddressAllow"], name


@pytest.mark.parametrize("case", cases())
def test_the_api_never_requires_the_disk(case):
    if unit := units(case).get("utxoracle-api.service"):
        assert words(unit, "Requires") == ["utxoracle-api.socket"]
        assert not words(unit, "Wants")
        assert words(unit, "After") == ["utxoracle-api.socket"]
        assert not [key for key in unit if key.startswith(("RequiresMounts", "Assert"))]
        # Nor is a path below it named, whose mount would hold on to a disk that was taken out.
        assert not [key for key, value in unit.items() if "Paths" in key and "/mnt" in str(value)]
        assert unit["PrivateNetwork"] == ["true"]
        assert unit["RestrictAddressFamilies"] == ["AF_UNIX"]
        assert "storage" not in str(units(case, "socket")["utxoracle-api.socket"])


@pytest.mark.parametrize("case", cases())
def test_containers_are_closed_from_inside_and_have_ends(case):
    for path, text in kept(case).items():
        if not re.fullmatch(r"scripts/podman-mempool-\w+-start", path):
            continue
        for wanted in (
            "--cap-drop=ALL", "--security-opt=no-new-privileges", "--memory=", "--pids-limit=",
            "--network=mempool", "--ip=10.89.64.",
        ):  # fmt: skip
            assert wanted in text, (path, wanted)
        assert re.search(r"^  -u [1-9]\d*:[1-9]\d* ", text, re.MULTILINE), path
        assert ("--sdnotify=healthy" in text) == ("--health-cmd=" in text), path
        unit = units(case)[path.removeprefix("scripts/").removesuffix("-start") + ".service"]
        assert unit["TimeoutStartSec"] != ["0"] and unit["Restart"] == ["always"]
        assert unit["StartLimitBurst"] and unit["RestartSec"]


@pytest.mark.parametrize("case", cases())
def test_the_back_end_starts_behind_a_database_that_is_well_and_waits_for_no_index(case):
    found = units(case)
    if backend := found.get("podman-mempool-backend.service"):
        assert "podman-mempool-db.service" in words(backend, "Requires")
        assert "podman-mempool-db.service" in words(backend, "After")
        assert "podman-mempool-electrs.service" not in words(backend, "Requires")
        assert "podman-mempool-backend.service" in words(
            found["utxoracle-analyze.service"], "Wants"
        )


@pytest.mark.parametrize("case", cases())
def test_the_page_of_mempool_needs_no_name_server_and_asks_nobody_else(case):
    if text := kept(case).get("scripts/podman-mempool-frontend-start"):
        hosts = dict(re.findall(r"-e (\w+_HOST)=(\S+)", text))
        assert {*hosts} == {"BACKEND_MAINNET_HTTP_HOST", "PROXIED_SERVICES_HOST"}
        for host in hosts.values():
            assert re.fullmatch(r"(http://)?10\.89\.64\.12(:8999)?", host)


@pytest.mark.parametrize("case", cases())
def test_no_password_is_in_any_file(case):
    for path, text in kept(case).items():
        if path.startswith("scripts/utxoracle-secrets"):
            continue
        assert not re.search(r"PASSWORD(?!_FILE|S_)[\w]*=|--cookie(?!-file)", text), path


@pytest.mark.parametrize("case", cases())
def test_a_failure_is_told_where_there_is_somebody_to_tell(case):
    found = units(case)
    if "utxoracle-alert@.service" in found:
        for name, unit in found.items():
            if DISK.match(name) or "api" in name or "network" in name:
                assert unit["OnFailure"] == ["utxoracle-alert@%n.service"], name
    else:
        assert "OnFailure" not in str(found)


@pytest.mark.parametrize("case", cases())
def test_the_backup_may_write_where_it_has_to(case):
    if unit := units(case).get("utxoracle-backup.service"):
        named = re.findall(r"^UTXORACLE_(?:DATA|BACKUP)_DIR=(.*)$", env(case), re.MULTILINE)
        assert {*named} <= {path.removeprefix("-") for path in unit["ReadWritePaths"]}


@pytest.mark.parametrize("case", cases())
def test_no_proxy_has_a_port_that_a_node_may_have(case):
    for name, socket in units(case, "socket").items():
        if "proxy" in name:
            port = int(socket["ListenStream"][0].rpartition(":")[2])
            assert port not in NODES, name


def test_an_alert_of_a_failure_starts_nothing_on_the_disk_again():
    unit = units("full")["utxoracle-alert@.service"]
    assert unit["DefaultDependencies"] == ["false"]
    assert not [key for key in unit if key.startswith(("Requires", "Assert"))]


def test_an_alert_is_told_whatever_the_disk_does():
    for name in ("utxoracle-alert@.service", "utxoracle-alert.service"):
        assert "/mnt" not in str(units("full")[name]), name


def test_what_was_given_up_is_tried_again_by_the_next_run():
    found = units("minimal")
    containers = {name for name in found if name.startswith("podman-mempool-")}
    wanted = {*words(found["utxoracle-analyze.service"], "Wants")}
    # The back end brings its database along.
    assert containers - wanted == {"podman-mempool-db.service"}
    assert "podman-mempool-db.service" in words(found["podman-mempool-backend.service"], "Requires")


def test_owners_on_the_disk_have_numbers_that_never_change():
    lines = machine("local-bitcoind")["users"]
    assert sorted(line.rsplit(" ", 1)[0] for line in lines if line) == [
        "bitcoind-utxoracle 394", "utxoracle 390", "utxoracle-api 391", "utxoracle-db 392",
        "utxoracle-electrs 393",
    ]  # fmt: skip
