"""A node that starts, stops, hangs, syncs or prunes: one line, and the next run heals."""

import os
import time

from tests.appliance import Appliance, one_line
from tests.node.conftest import over_both
from tests.node.halted import finished, go_on, halted_run, resumed

FROZEN_SECONDS = float(os.environ.get("UTXORACLE_TEST_FROZEN", "1"))
"""Seconds for which a node stands still in a run that waits for it; to be tried with 90, too."""

QUICK = {"UTXORACLE_READ_TIMEOUT": "2"}
NO_RETRY = {"UTXORACLE_RETRIES": "0"}


def assert_healed(appliance: Appliance, expected: Appliance) -> None:
    assert appliance.analyze()["caught_up"]
    assert appliance.chain_rows() == expected.chain_rows()


@over_both
def test_a_node_that_is_loading_is_called_starting(node, appliance, tmp_path):
    # It reads this file while it starts, and waits for someone to write into it.
    os.mkfifo(tmp_path / "asmap")
    node.start(f"-asmap={tmp_path / 'asmap'}", ready=False)
    node.wait_until_loading()
    line = appliance.refused(3, "analyze", **NO_RETRY)
    assert line.startswith(f"utxoracle: bitcoind {node.place} is still starting (")
    assert appliance.last_run()["state"] == "syncing"
    node.kill()
    node.start()
    assert appliance.analyze("--max-blocks", "1")["blocks"] == 1
    assert appliance.last_run()["state"] != "syncing"


@over_both
def test_a_node_with_an_old_tip_is_called_syncing_until_it_is_not(node, appliance):
    node.start("-maxtipage=86400")
    height, _ = node.tip()
    line = appliance.refused(3, "analyze")
    assert f"{node.place} is still syncing, at block {height} of {height}: try again" in line
    assert appliance.last_run()["state"] == "syncing"
    node.stop()
    node.start()
    assert appliance.analyze("--max-blocks", "1")["blocks"] == 1
    assert appliance.last_run()["state"] != "syncing"


@over_both
def test_a_restart_between_two_runs_is_not_noticed(node, appliance):
    cookies = []
    for _ in range(2):
        node.start()
        cookies.append(node.cookie.read_text())
        assert appliance.analyze("--max-blocks", "1")["blocks"] == 1
        node.stop()
    assert cookies[0] != cookies[1]


@over_both
def test_a_restart_during_a_run_is_not_noticed(node, appliance, expected, midst):
    node.start()
    with halted_run(appliance, midst) as run:
        node.stop()
        node.start()
        done = resumed(run)
    assert done.returncode == 0, done.stderr
    assert appliance.chain_rows() == expected.chain_rows()


@over_both
def test_a_node_that_stops_during_a_run_ends_it_and_the_next_run_heals(
    node, appliance, expected, midst
):
    node.start()
    with halted_run(appliance, midst, **NO_RETRY) as run:
        node.stop()
        line = one_line(resumed(run), 3)
    # The node takes its cookie away, which is found out first unless a call was under way: then the
    # connection is closed, or there is no new one.
    told = ("is bitcoind running", "refused the connection", "hung up without an answer")
    assert [one for one in told if one in line], line
    line = appliance.refused(3, "analyze", **NO_RETRY)
    assert f"{node.place} refused the connection: is it running?" in line
    node.start()
    assert_healed(appliance, expected)


def test_rest_that_was_switched_off_during_a_run_is_found_out_by_the_next(
    node, appliance, expected, midst
):
    appliance.environment["UTXORACLE_SOURCE"] = node.source_with_cookie
    node.start()
    with halted_run(appliance, midst) as run:
        node.stop()
        node.has_rest = False
        node.start()
        line = one_line(resumed(run), 3)
    assert "with 404" in line
    assert_healed(appliance, expected)
    assert appliance.last_run()["routes"] == {f"bitcoind {node.place}": "rpc"}


def test_a_node_that_hangs_ends_a_run_in_time(node, appliance, expected):
    node.start()
    with node.frozen():
        line = appliance.refused(3, "analyze", **QUICK)
    assert f"{node.place} sent nothing for 2 s: is its node hanging?" in line
    assert_healed(appliance, expected)


@over_both
def test_a_node_that_hangs_in_the_midst_of_a_run_ends_it_in_time(node, appliance, expected, midst):
    node.start()
    with halted_run(appliance, midst, **QUICK) as run, node.frozen():
        line = one_line(resumed(run), 3)
    assert f"{node.place} sent nothing for 2 s: is its node hanging?" in line
    assert_healed(appliance, expected)


def test_a_node_that_hangs_for_less_than_the_time_out_is_waited_for(
    node, appliance, expected, midst
):
    node.start()
    patience = {"UTXORACLE_READ_TIMEOUT": str(FROZEN_SECONDS + 60)}
    with halted_run(appliance, midst, **patience) as run:
        with node.frozen():
            go_on(run)
            time.sleep(FROZEN_SECONDS)
        done = finished(run)
    assert done.returncode == 0, done.stderr
    assert appliance.chain_rows() == expected.chain_rows()
