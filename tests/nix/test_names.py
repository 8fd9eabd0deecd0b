"""What the program and the module call alike."""

from tests.nix.golden import cases, kept
from utxoracle.jobs.checks.services import API_SERVICE, API_UNITS, LASTING, TIMERS
from utxoracle.jobs.units import ANALYZE


def units():
    return {
        path.removeprefix("systemd/")
        for case in cases()
        for path in kept(case)
        if path.startswith("systemd/")
    }


def test_doctor_asks_for_units_that_the_module_has():
    assert {*LASTING, *TIMERS, *API_UNITS, ANALYZE} <= units()


def test_doctor_asks_for_all_that_is_always_to_be_there():
    links = [line for case in cases() for line in kept(case)["machine.txt"].splitlines()]
    wanted = {
        line.partition("/")[2]
        for line in links
        if line.startswith(("utxoracle.target.wants/", "sockets.target.wants/"))
    }
    # Elsewhere its socket may start it, so it is only told of where there is none.
    assert wanted - {API_SERVICE} <= {*LASTING}
