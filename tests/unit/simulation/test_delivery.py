"""Answers that go wrong on their way, and servers that refuse or hang; each is healed again."""

import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from http.client import IncompleteRead, RemoteDisconnected

import pytest

from tests.unit.simulation.faulty import HEIGHT, SECONDS, ask, connected, faulty, wait_for
from utxoracle.simulation.faults import Kind
from utxoracle.simulation.server import SimulationServer


def test_half_an_answer_promises_the_whole(server, small_chain):
    raw = small_chain.raw_block(HEIGHT)
    with faulty(server, "half@block"), connected(server) as connection:
        answer = ask(connection, f"/api/v1/block/{small_chain.hash_at(HEIGHT)}/raw")
        assert answer.status == 200
        with pytest.raises(IncompleteRead) as caught:
            answer.read()
    assert caught.value.partial == raw[: len(raw) // 2]
    assert caught.value.expected == len(raw) - len(raw) // 2


def test_a_reset_ends_a_connection_in_mid_body(server, small_chain):
    size = len(small_chain.raw_block(HEIGHT))
    with faulty(server, "reset@block"), connected(server) as connection:
        answer = ask(connection, f"/api/v1/block/{small_chain.hash_at(HEIGHT)}/raw")
        assert int(answer.headers["Content-Length"]) == size
        with pytest.raises(ConnectionResetError):
            answer.read()


def test_a_chunked_answer_is_whole_and_the_connection_goes_on(server, small_chain):
    raw = small_chain.raw_block(HEIGHT)
    with faulty(server, "chunked"), connected(server) as connection:
        answer = ask(connection, f"/api/v1/block/{small_chain.hash_at(HEIGHT)}/raw")
        assert answer.headers["Transfer-Encoding"] == "chunked"
        assert answer.headers["Content-Length"] is None
        assert answer.read() == raw
        empty = ask(connection, "/rest/nothing.bin")
        assert (empty.status, empty.read()) == (404, b"")
        assert ask(connection).read().decode() == small_chain.hash_at(small_chain.tip_height)


def test_a_trickle_comes_byte_by_byte_until_it_is_healed(server):
    server.set_faults(["trickle"])
    with connected(server) as connection:
        answer = ask(connection)
        assert answer.headers["Content-Length"] == "64"
        assert len(answer.read(1)) == 1
        server.set_faults([])
        with pytest.raises(IncompleteRead) as caught:
            answer.read()
    assert len(caught.value.partial) < 63


def test_an_endless_answer_goes_on_far_past_its_end(server, small_chain):
    tip_hash = small_chain.hash_at(small_chain.tip_height).encode()
    with faulty(server, "endless"), connected(server) as connection:
        answer = ask(connection)
        assert answer.read(128) == 2 * tip_hash
        assert len(answer.read(8_000_000)) == 8_000_000


def test_an_endless_answer_ends_at_last(server, small_chain, monkeypatch):
    monkeypatch.setattr("utxoracle.simulation.delivery.ENDLESS_BYTES", 200_000)
    with faulty(server, "endless"), connected(server) as connection:
        assert 200_000 <= len(ask(connection).read()) < 400_000


def test_head_is_spared_what_would_spoil_a_body(server, http):
    with faulty(server, "half"):
        answer = http.head(f"{server.url}/api/v1/blocks/tip/hash")
    assert (answer.status_code, answer.headers["Content-Length"]) == (200, "64")


def test_a_server_that_hangs_lets_go_when_it_is_healed(server):
    server.set_faults(["hang*1"])
    with connected(server) as hanging, connected(server) as other:
        hanging.request("GET", "/api/v1/blocks/tip/hash")
        wait_for(lambda: server.faults == [])
        assert ask(other).status == 200
        hanging.sock.setblocking(False)
        with pytest.raises(BlockingIOError):
            hanging.sock.recv(1)
        hanging.sock.settimeout(SECONDS)
        server.set_faults([])
        with pytest.raises(RemoteDisconnected):
            hanging.getresponse()


def test_a_server_that_ends_lets_go_of_all_who_wait(small_chain):
    threads = threading.active_count()
    with (
        SimulationServer(small_chain, faults=["hang@tip*1", "trickle"]) as server,
        connected(server) as hanging,
        connected(server) as trickling,
    ):
        hanging.request("GET", "/api/v1/blocks/tip/hash")
        wait_for(lambda: server.faults == ["trickle"])
        ask(trickling)
        server.close()
        wait_for(lambda: threading.active_count() <= threads)


def test_connections_are_refused_until_it_is_healed(server):
    address = server.url.removeprefix("http://").split(":")
    server.set_faults(["refuse@tip*1"])
    with connected(server) as kept, connected(server) as first:
        assert ask(kept, "/api/v1/backend-info").read()
        with pytest.raises(RemoteDisconnected):
            ask(first)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(address, SECONDS)
        with pytest.raises((RemoteDisconnected, ConnectionResetError)):
            ask(kept, "/api/v1/backend-info")
        # Nobody else may take the port meanwhile.
        with socket.socket() as thief, pytest.raises(OSError, match="in use"):
            thief.bind((address[0], int(address[1])))
    server.set_faults([])
    with connected(server) as again:
        assert ask(again).status == 200


def test_after_a_while_connections_are_taken_again_by_themselves(server, monkeypatch):
    monkeypatch.setattr("utxoracle.simulation.http.REFUSE_SECONDS", 0.1)
    with faulty(server, "refuse*2"):
        for left in (["refuse*1"], []):
            with connected(server) as connection, pytest.raises(RemoteDisconnected):
                ask(connection)
            assert server.faults == left
            wait_for(lambda: server_takes_connections(server))
        with connected(server) as connection:
            assert ask(connection).status == 200


def server_takes_connections(server):
    try:
        with connected(server) as connection:
            connection.connect()
    except OSError:
        return False
    return True


def test_many_clients_are_refused_at_once(server):
    def outcome(_):
        try:
            with connected(server) as connection:
                return ask(connection).status
        except OSError:
            return None

    with faulty(server, "refuse"), ThreadPoolExecutor(8) as pool:
        assert set(pool.map(outcome, range(40))) == {None}
    assert outcome(0) == 200


def test_a_server_can_end_while_it_refuses(small_chain):
    threads = threading.active_count()
    with (
        SimulationServer(small_chain, faults=["refuse"]) as server,
        connected(server) as connection,
        pytest.raises(RemoteDisconnected),
    ):
        ask(connection)
    with pytest.raises(ConnectionRefusedError), connected(server) as connection:
        connection.connect()
    wait_for(lambda: threading.active_count() <= threads)


@pytest.mark.parametrize("kind", Kind)
def test_a_healed_server_is_as_good_as_new(server, small_chain, kind):
    path = f"/api/v1/block/{small_chain.hash_at(HEIGHT)}/raw"
    server.set_faults([f"{kind}@block*1"])
    with connected(server) as connection:
        connection.request("GET", path)
        wait_for(lambda: server.faults == [])
        server.set_faults([])
    with connected(server) as connection:
        assert ask(connection, path).read() == small_chain.raw_block(HEIGHT)
