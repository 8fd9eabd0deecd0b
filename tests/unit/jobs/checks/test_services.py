import os

import pytest

from utxoracle.jobs.checks import services
from utxoracle.jobs.health import CheckStatus

LOADED = {"LoadState": "loaded", "Result": "success"}


def units(**states):
    """What `systemctl show` prints of units, by their names with _ for the dots."""
    return "\n\n".join(
        f"Id={name.replace('__', '.').replace('_', '-')}\n"
        + "\n".join(f"{key}={value}" for key, value in {**LOADED, **state}.items())
        for name, state in states.items()
    )


ACTIVE = {"ActiveState": "active"}
INACTIVE = {"ActiveState": "inactive"}
FAILED = {"ActiveState": "failed", "Result": "exit-code"}
ALL = {
    "utxoracle__target": ACTIVE,
    "utxoracle_analyze__service": INACTIVE,
    "utxoracle_api__socket": ACTIVE,
    "podman_mempool_backend__service": ACTIVE,
}
ARMED = {
    "LoadState": "loaded",
    "ActiveState": "active",
    "SubState": "waiting",
    "NextElapseUSecRealtime": "Mon 2026-11-23 07:50:00 UTC",
    "NextElapseUSecMonotonic": "infinity",
}
MISSING = {
    "LoadState": "not-found",
    "ActiveState": "inactive",
    "SubState": "dead",
    "NextElapseUSecRealtime": "",
    "NextElapseUSecMonotonic": "0",
}


def test_units_of_which_none_has_failed_are_well(program):
    # systemd tells twice of what is named and fits a pattern, too.
    program(
        "systemctl", "\n\n".join([units(**ALL, podman_mempool_db__service=MISSING), units(**ALL)])
    )
    told = services.units()
    assert (told.status, told.detail) == (
        CheckStatus.OK,
        "4 units of utxoracle, none has failed",
    )


@pytest.mark.parametrize(
    ("name", "state", "told"),
    [
        ("utxoracle_analyze__service", FAILED, "utxoracle-analyze.service has failed (exit-code)"),
        ("utxoracle_alert@a__service", FAILED, "utxoracle-alert@a.service has failed (exit-code)"),
        ("utxoracle_api__socket", INACTIVE, "utxoracle-api.socket is inactive"),
        ("utxoracle__target", INACTIVE, "utxoracle.target is inactive"),
        (
            "podman_mempool_backend__service",
            {"ActiveState": "activating"},
            "podman-mempool-backend.service is activating",
        ),
    ],
)
def test_a_unit_that_is_down_fails_with_where_to_look(program, name, state, told):
    program("systemctl", units(**ALL | {name: state}))
    found = services.units()
    unit = told.split()[0]
    assert found.status == CheckStatus.ERROR
    assert found.detail == f"{told}: see journalctl -u {unit}, then systemctl restart {unit}"


def test_an_api_without_a_socket_must_be_active_itself(program):
    alone = {name: unit for name, unit in ALL.items() if name != "utxoracle_api__socket"}
    program("systemctl", units(**alone, utxoracle_api__service=INACTIVE))
    assert services.units().detail.startswith("utxoracle-api.service is inactive: see journalctl")
    program("systemctl", units(**ALL, utxoracle_api__service=INACTIVE))
    assert services.units().status == CheckStatus.OK


def test_all_units_that_are_down_are_named(program):
    down = {"utxoracle_api__socket": INACTIVE, "utxoracle_backup__service": FAILED}
    program("systemctl", units(**ALL | down))
    assert services.units().detail.startswith(
        "utxoracle-api.socket is inactive; utxoracle-backup.service has failed (exit-code): see"
    )


@pytest.mark.parametrize("check", [services.units, services.timers])
def test_without_systemd_nothing_is_known(program, check):
    assert check().status == CheckStatus.UNKNOWN
    program("systemctl", "System has not been booted with systemd", exit_code=1)
    assert check().status == CheckStatus.UNKNOWN


def test_without_units_of_ours_nothing_is_known(program):
    program("systemctl", "")
    assert services.units().status == CheckStatus.UNKNOWN
    program("systemctl", units(utxoracle__target=MISSING, utxoracle_api__socket=MISSING))
    assert services.units().status == CheckStatus.UNKNOWN
    program("systemctl", units(utxoracle_analyze__timer=MISSING, utxoracle_backup__timer=MISSING))
    told = services.timers()
    assert told.status == CheckStatus.UNKNOWN
    assert "something else starts utxoracle analyze" in told.detail
    assert not services.is_installed("utxoracle-api.socket")


def timers(program, analyze=None, **others):
    told = units(
        utxoracle_analyze__timer=ARMED | (analyze or {}),
        **{f"utxoracle_{name}__timer": ARMED | state for name, state in others.items()},
    )
    # systemd tells twice of what is named and fits a pattern, too.
    program("systemctl", f"{told}\n\n{told}")
    return services.timers()


def test_timers_that_are_armed_are_well(program):
    told = timers(program, backup={}, alert={})
    assert told.status == CheckStatus.OK
    assert told.detail.count(".timer ") == 3
    assert "utxoracle-analyze.timer Mon 2026-11-23 07:50:00 UTC" in told.detail
    monotonic = {"NextElapseUSecRealtime": "", "NextElapseUSecMonotonic": "3h 20min"}
    assert timers(program, monotonic, backup={}).status == CheckStatus.OK
    running = {"SubState": "running", "NextElapseUSecRealtime": ""}
    assert timers(program, running, backup={}).status == CheckStatus.OK


def test_a_timer_that_is_missing_may_be_left_out_on_purpose(program):
    found = timers(program, backup=MISSING)
    assert found.status == CheckStatus.WARNING
    assert "utxoracle-backup.timer is missing: unless that is meant, install it" in found.detail


@pytest.mark.parametrize(
    ("state", "told"),
    [
        (
            {"ActiveState": "inactive", "SubState": "dead"},
            "utxoracle-backup.timer is not armed (inactive, dead): systemctl start utxoracle-back",
        ),
        ({"NextElapseUSecRealtime": ""}, "utxoracle-backup.timer is not armed (active, waiting)"),
        ({"ActiveState": "failed", "SubState": "failed"}, "is not armed (failed, failed)"),
    ],
)
def test_a_timer_that_is_not_armed_fails(program, state, told):
    found = timers(program, backup=state)
    assert found.status == CheckStatus.ERROR
    assert told in found.detail


def test_a_timer_of_ours_that_may_be_missing_must_be_armed_where_it_is_there(program, tmp_path):
    asked = tmp_path / "asked"
    program("systemctl", units(utxoracle_analyze__timer=ARMED, utxoracle_backup__timer=ARMED))
    systemctl = tmp_path / "bin" / "systemctl"
    systemctl.write_text(systemctl.read_text().replace("\n", f'\necho "$@" >{asked}\n', 1))
    services.timers()
    assert asked.read_text().endswith(" utxoracle*.timer\n")
    found = timers(program, backup={}, alert={"ActiveState": "inactive", "SubState": "dead"})
    assert found.status == CheckStatus.ERROR
    assert "utxoracle-alert.timer is not armed (inactive, dead): systemctl start" in found.detail


CONTAINERS = """[
 {"Names": ["mempool-db"], "State": "running", "Status": "Up 2 hours (healthy)"},
 {"Names": ["mempool-electrs"], "State": "%s", "Status": "%s"}
]"""

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root sees the containers")


@as_root
def test_containers_that_run_are_well(program):
    program("podman", CONTAINERS % ("running", "Up 2 minutes"))
    told = services.containers()
    assert (told.status, told.detail) == (CheckStatus.OK, "running: mempool-db, mempool-electrs")


@as_root
@pytest.mark.parametrize(
    ("state", "status"),
    [
        ("exited", "Exited (1) 3 minutes ago"),
        ("running", "Up 2 hours (unhealthy)"),
        ("created", "Created"),
    ],
)
def test_a_container_that_does_not_run_or_is_not_healthy_fails(program, state, status):
    program("podman", CONTAINERS % (state, status))
    told = services.containers()
    assert told.status == CheckStatus.ERROR
    assert told.detail == (
        f"mempool-electrs is {state} ({status}): see journalctl -u podman-mempool-electrs"
    )


@as_root
@pytest.mark.parametrize("answer", [None, ("", 0), ("[]", 0), ("null", 0), ("", 125)])
def test_without_containers_nothing_is_known(program, answer):
    if answer:
        program("podman", *answer)
    assert services.containers().status == CheckStatus.UNKNOWN
