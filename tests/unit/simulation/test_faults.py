"""Faults as they are written, which requests they hit, and how they are set."""

import pytest

from tests.unit.simulation.faulty import HEIGHT, faulty, paths_of, send
from utxoracle.errors import UsageError
from utxoracle.simulation.faults import Fault, Faults, Kind, Step
from utxoracle.simulation.server import SimulationServer


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("half", Fault(Kind.HALF)),
        ("half@block", Fault(Kind.HALF, Step.BLOCK)),
        ("half*2", Fault(Kind.HALF, None, 2)),
        ("status-503@tip*12", Fault(Kind.STATUS_503, Step.TIP, 12)),
        ("flip-witness@block", Fault(Kind.FLIP_WITNESS, Step.BLOCK)),
    ],
)
def test_a_fault_reads_as_it_is_written(text, fault):
    assert Fault.parse(text) == fault
    assert str(fault) == text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "there is no fault ''; there are refuse, hang, status-500, "),
        ("hangs", "there is no fault 'hangs'; there are refuse, hang, "),
        ("half@blok", "no step 'blok'; there are tip, hash, header, block, price"),
        ("half@", "no step ''; there are tip, "),
        ("half*0", "'0' is no number of times"),
        ("half*", "'' is no number of times"),
        ("half*-1", "'-1' is no number of times"),
        ("half*" + 5000 * "9", "is no number of times"),
        ("half*2@block", "'2@block' is no number of times"),
        ("flip-witness@hash", "only a block has witnesses; give flip-witness@block"),
    ],
)
def test_what_is_no_fault_is_a_usage_error_that_names_what_there_is(text, message):
    with pytest.raises(UsageError) as caught:
        Fault.parse(text)
    assert message in str(caught.value)


def test_the_first_fault_that_fits_counts_down_and_leaves_those_behind_it_their_turn():
    faults = Faults(map(Fault.parse, ["half@block*2", "hang@tip", "empty*1"]))
    taken = [faults.take(Step.BLOCK) for _ in range(4)]
    assert [one and one.kind for one in taken] == [Kind.HALF, Kind.HALF, Kind.EMPTY, None]
    assert faults.left == ["hang@tip"]
    assert faults.take(Step.TIP) == faults.take(Step.TIP) == Fault(Kind.HANG, Step.TIP)


@pytest.mark.parametrize("step", Step)
def test_a_step_is_the_same_on_every_interface(server, small_chain, http, step):
    every = paths_of(small_chain)
    with faulty(server, f"status-503@{step}"):
        statuses = {
            one: {send(http, server, wanted).status_code for wanted in paths}
            for one, paths in every.items()
        }
    assert statuses == {one: {503} if one is step else {200} for one in Step}


def test_a_fault_without_a_step_hits_every_route_but_the_control_routes(server, http):
    with faulty(server, "status-500"):
        for path in ("/api/v1/backend-info", "/api/v1/blocks", "/nothing", "/rest/nothing"):
            assert http.get(server.url + path).status_code == 500
        assert http.post(server.url, data="{").status_code == 500
        assert http.get(f"{server.url}/simulation/faults").json() == {"faults": ["status-500"]}
        assert http.get(f"{server.url}/simulation/tip").status_code == 200


def test_faults_are_set_and_told_over_http(server, http):
    url = f"{server.url}/simulation/faults"
    try:
        both = ["half@block*2", "status-503@tip"]
        assert http.post(url, json={"faults": both}).json() == {"faults": both}
        assert http.get(f"{server.url}/api/v1/blocks/tip/hash").status_code == 503
        assert http.get(url).json() == {"faults": both} == {"faults": server.faults}
        for wrong in (
            {"faults": ["haf"]},
            {"faults": "half"},
            {"faults": [1]},
            {},
            [],
            {"fault": []},
        ):
            answer = http.post(url, json=wrong)
            assert (answer.status_code, list(answer.json())) == (400, ["error"])
        assert server.faults == both
        assert http.post(url, json={"faults": []}).json() == {"faults": []}
        assert http.get(f"{server.url}/api/v1/blocks/tip/hash").status_code == 200
    finally:
        server.set_faults([])


def test_spoilt_requests_are_logged_like_all_others(small_chain, http):
    with SimulationServer(small_chain, faults=["html*1", "status-500*1"]) as server:
        for path in ("/api/v1/prices", "/rest/chaininfo.json", "/api/v1/backend-info"):
            http.get(server.url + path)
        log = http.post(f"{server.url}/simulation/requests").json()["requests"]
    assert log == ["GET /api/v1/prices", "GET /rest/chaininfo.json", "GET /api/v1/backend-info"]


def test_a_batch_of_calls_is_at_the_step_of_its_first_call_that_has_one(server, small_chain, http):
    calls = [
        {"id": 1, "method": "uptime"},
        {"id": 2, "method": "getblockhash", "params": [HEIGHT]},
        {"id": 3, "method": "getblockcount"},
    ]
    with faulty(server, "empty@tip", "other@hash"):
        replies = http.post(server.url, json=calls).json()
    assert replies[1]["result"] == small_chain.hash_at(HEIGHT - 1)
