import pytest

from utxoracle.jobs.checks.clock import clock
from utxoracle.jobs.health import CheckStatus

NOW = 1_800_000_000.0
HOUR = 3600


def test_a_clock_that_is_kept_right_is_well(program):
    program("timedatectl", "yes")
    assert clock([int(NOW) + 2 * HOUR, 5], NOW).status == CheckStatus.OK
    assert clock([], NOW).status == CheckStatus.OK


def test_a_clock_behind_the_newest_block_fails(program):
    program("timedatectl", "yes")
    told = clock([5, int(NOW) + 3 * HOUR], NOW)
    assert told.status == CheckStatus.ERROR
    assert told.detail.startswith("the newest block is stamped 3 h from now: set the clock")


def test_a_clock_that_nothing_keeps_right_deserves_a_look(program):
    program("timedatectl", "no")
    told = clock([5], NOW)
    assert told.status == CheckStatus.WARNING
    assert "timedatectl set-ntp true" in told.detail


@pytest.mark.parametrize("answer", [None, ("yes", 1), ("n/a", 0)])
def test_without_an_answer_it_is_not_known(program, answer):
    if answer:
        program("timedatectl", *answer)
    assert clock([5], NOW).status == CheckStatus.UNKNOWN
