import socket
from time import sleep

import pytest

from utxoracle.errors import (
    BlockCorrupt,
    BlockNotFound,
    DataError,
    DayOutOfReach,
    PriceImpossible,
    SourceError,
    SourceSyncing,
    StorageError,
    WrongNetwork,
)
from utxoracle.settings import Settings
from utxoracle.simulation.chain import SimulatedChain
from utxoracle.simulation.options import SimulationOptions
from utxoracle.simulation.server import SimulationServer
from utxoracle.sources import preference
from utxoracle.sources.base import Source
from utxoracle.sources.factory import open_sources
from utxoracle.sources.preference import Sources, SourceState, State, state_of

CHAIN = SimulatedChain(SimulationOptions.parse("seed=6,days=1,transactions=2,blocks_per_day=24"))
TIP = CHAIN.tip_height - 1


@pytest.fixture
def first():
    with SimulationServer(CHAIN, tip=TIP) as server:
        yield server


@pytest.fixture
def second():
    with SimulationServer(CHAIN, tip=TIP) as server:
        yield server


@pytest.fixture
def both(first, second):
    return first, second


@pytest.fixture
def opened():
    """Open sources of these URLs."""
    made: list[Sources] = []

    def open_them(*urls: str, **settings: float) -> Sources:
        made.append(
            open_sources(Settings(source=" ".join(urls), retries=0, **settings))  # type: ignore[arg-type]
        )
        return made[-1]

    yield open_them
    for one in made:
        one.close()


def name(source: Source) -> str:
    return source.name


def node(server: SimulationServer) -> str:
    return f"bitcoind+{server.url}"


def states(sources: Sources) -> list[tuple[str, int | None]]:
    return [(one.state, one.height) for one in sources.states]


def named(server: SimulationServer) -> str:
    return node(server).replace("+http://", " ")


def test_the_first_source_is_used_while_it_serves(first, second, opened, caplog):
    sources = opened(node(first), node(second))
    assert sources.use(name) == named(first)
    assert states(sources) == [("ok", TIP), ("ok", TIP)]
    assert not caplog.messages


def test_a_single_source_is_asked_nothing(closed_port, opened):
    sources = opened(f"mempool+http://127.0.0.1:{closed_port}")
    assert sources.use(name) == f"mempool 127.0.0.1:{closed_port}"
    assert sources.states == [SourceState(f"mempool 127.0.0.1:{closed_port}", State.OK)]


def test_a_source_that_was_never_asked_is_not_called_good(first, opened):
    assert states(opened(node(first))) == [("unasked", None)]


def test_the_second_source_is_used_when_the_first_is_unreachable_and_that_is_told(
    closed_port, second, opened, caplog
):
    sources = opened(f"mempool+http://127.0.0.1:{closed_port}", node(second))
    assert sources.use(name) == named(second)
    assert states(sources) == [("unreachable", None), ("ok", TIP)]
    assert len(caplog.messages) == 1
    assert caplog.messages[0].startswith(f"mempool 127.0.0.1:{closed_port} refused the connection")
    assert caplog.messages[0].endswith(f"; using {named(second)}")


def test_a_source_may_be_two_blocks_behind(first, second, opened, caplog):
    first.advance_tip(-2)
    sources = opened(node(first), node(second))
    assert sources.use(name) == named(first)
    assert states(sources) == [("ok", TIP - 2), ("ok", TIP)]
    assert not caplog.messages


def test_a_source_that_is_three_blocks_behind_is_passed_over(first, second, opened, caplog):
    first.advance_tip(-3)
    sources = opened(node(first), node(second))
    assert sources.use(name) == named(second)
    assert states(sources) == [("behind", TIP - 3), ("ok", TIP)]
    told = f"{named(first)} is behind, at block {TIP - 3}; using {named(second)}"
    assert caplog.messages == [told]


def test_a_source_that_fails_is_set_aside_and_the_next_goes_on(first, second, opened, caplog):
    sources = opened(node(first), node(second))
    asked = []

    def fail_first(source: Source) -> str:
        asked.append(source.name)
        if source.name == named(first):
            raise BlockCorrupt("bad bytes")
        return source.name

    assert sources.use(fail_first) == named(second)
    assert asked == [named(first), named(second)]
    assert states(sources) == [("refused", TIP), ("ok", TIP)]
    assert caplog.messages == [f"bad bytes; going on with {named(second)}"]
    assert sources.use(name) == named(second)


@pytest.mark.parametrize("error", [StorageError("disk"), PriceImpossible("b", "few", "wait")])
def test_what_no_other_source_would_mend_is_raised_at_once(first, second, opened, error):
    sources = opened(node(first), node(second))

    def fail(source: Source) -> str:
        assert source.name == named(first)
        raise error

    with pytest.raises(type(error)):
        sources.use(fail)


def test_when_all_sources_fail_one_line_names_each_and_bad_data_decides_the_exit_code(
    first, second, opened
):
    sources = opened(node(first), node(second))
    errors = {named(first): WrongNetwork("one is wrong"), named(second): SourceError("two is gone")}

    def fail(source: Source) -> str:
        raise errors[source.name]

    with pytest.raises(DataError) as caught:
        sources.use(fail)
    assert str(caught.value) == "one is wrong; two is gone"
    assert caught.value.exit_code == 4


def test_when_no_source_tells_its_tip_all_are_named(closed_port, opened):
    port = closed_port
    sources = opened(f"mempool+http://127.0.0.1:{port}", f"bitcoind+http://127.0.0.1:{port}")
    with pytest.raises(SourceError, match=r"mempool .*refused.*; bitcoind .*refused") as caught:
        sources.use(name)
    assert caught.value.exit_code == 3
    assert states(sources) == [("unreachable", None)] * 2


def test_the_failure_of_a_single_source_is_raised_as_it_is(first, opened):
    error = SourceSyncing("at block 5 of 9")

    def fail(_: Source) -> str:
        raise error

    with pytest.raises(SourceSyncing) as caught:
        opened(node(first)).use(fail)
    assert caught.value is error


@pytest.mark.parametrize(("depth", "moved"), [(1, 0), (2, 1), (2, -1)])
def test_a_fork_is_told_of_tips_that_are_about_as_far(both, opened, caplog, depth, moved):
    first, second = both
    second.fork(TIP - depth + 1, TIP + moved)
    sources = opened(node(first), node(second))
    assert sources.use(name) == named(first)
    assert states(sources) == [("ok", TIP), ("forked", TIP + moved)]
    (told,) = caplog.messages
    lower = min(TIP, TIP + moved)
    assert told.startswith(f"the chain is forked: block {lower} is ")
    assert f"{CHAIN.hash_at(lower)} at {named(first)}" in told


def test_a_stale_tip_that_lags_says_nothing_of_a_fork(both, opened, caplog):
    first, second = both
    second.fork(TIP - 8, TIP - 7)
    sources = opened(node(first), node(second))
    assert sources.use(name) == named(first)
    assert states(sources) == [("ok", TIP), ("behind", TIP - 7)]
    assert not caplog.messages


def test_a_tip_above_ours_on_the_same_chain_is_no_fork(both, opened, caplog):
    first, second = both
    second.advance_tip(1)
    sources = opened(node(first), node(second))
    assert sources.use(name) == named(first)
    assert states(sources) == [("ok", TIP), ("ok", TIP + 1)]
    assert not caplog.messages


def test_a_source_that_is_silent_beside_one_that_tells_its_tip_is_not_waited_for(
    first, opened, monkeypatch
):
    monkeypatch.setattr(preference, "PATIENCE", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"bitcoind+http://127.0.0.1:{silent.getsockname()[1]}"
        sources = opened(node(first), url, read_timeout=30)
        assert sources.use(name) == named(first)
        assert states(sources) == [("ok", TIP), ("unreachable", None)]


def test_a_silent_source_is_used_when_the_one_beside_it_fails(first, opened, monkeypatch):
    monkeypatch.setattr(preference, "PATIENCE", 0.0)
    sources = opened(node(first), "sim:seed=6,days=1,transactions=2,blocks_per_day=24")

    def fail_first(source: Source) -> str:
        if source.name == named(first):
            raise BlockNotFound("pruned")
        return source.name

    assert sources.use(fail_first).startswith("sim ")
    assert [one.state for one in sources.states] == ["incomplete", "ok"]


def test_a_source_that_took_over_is_good_whatever_it_was_found_to_be_before(both, opened):
    first, second = both
    first.tip = TIP - 5
    sources = opened(node(first), node(second))

    def fail_second(source: Source) -> str:
        if source.name == named(second):
            raise BlockCorrupt("bad bytes")
        return source.name

    assert sources.use(fail_second) == named(first)
    assert states(sources) == [("ok", TIP - 5), ("refused", TIP)]


def test_a_fork_is_told_against_the_source_in_use_only(both, opened):
    first, second = both
    second.fork(TIP, TIP)
    sources = opened(node(first), node(second))

    def fail_first(source: Source) -> str:
        if source.name == named(first):
            raise SourceError("gone")
        return source.name

    assert sources.use(fail_first) == named(second)
    assert states(sources) == [("unreachable", TIP), ("ok", TIP)]


def test_a_fork_that_can_not_be_looked_at_holds_nobody_up(both, opened, monkeypatch):
    monkeypatch.setattr(preference, "PATIENCE", 0.1)
    first, second = both
    second.advance_tip(1)
    second.set_faults(["hang@hash"])
    sources = opened(node(first), node(second), read_timeout=30)
    assert sources.use(name) == named(first)
    assert states(sources) == [("ok", TIP), ("ok", TIP + 1)]


def test_a_preferred_source_that_is_silent_is_waited_for_longer_but_not_for_its_time_out(
    both, opened, monkeypatch, caplog
):
    monkeypatch.setattr(preference, "PATIENCE_WITH_PREFERRED", 0.1)
    first, second = both
    first.set_faults(["hang"])
    sources = opened(node(first), node(second), read_timeout=30)
    assert sources.use(name) == named(second)
    assert states(sources) == [("unreachable", None), ("ok", TIP)]
    assert caplog.messages == [f"{named(first)} is unreachable; using {named(second)}"]


def test_a_preferred_source_that_is_a_little_slower_is_waited_for(both, opened, monkeypatch):
    monkeypatch.setattr(preference, "PATIENCE", 0.0)
    first, second = both
    threads = preference._in_thread

    def start_late(ask, tell) -> None:
        threads(
            lambda: (sleep(0.1), ask())[1] if ask.__self__.name == named(first) else ask(), tell
        )

    monkeypatch.setattr(preference, "_in_thread", start_late)
    assert opened(node(first), node(second)).use(name) == named(first)


def test_a_source_that_does_not_reach_back_to_a_day_is_followed_by_the_next(first, second, opened):
    sources = opened(node(first), node(second))

    def fail_first(source: Source) -> str:
        if source.name == named(first):
            raise DayOutOfReach("no block before")
        return source.name

    assert sources.use(fail_first) == named(second)
    assert sources.states[0].state == "incomplete"


def test_routes_are_kept_by_name(first, second, opened):
    sources = opened(f"mempool+{first.url}", node(second))
    sources.use(name)
    found = sources.routes
    assert found == {
        f"mempool {first.url.removeprefix('http://')}": "/api/v1",
        named(second): "rest",
    }
    again = opened(f"mempool+{first.url}", node(second))
    again.routes = {named(second): "rpc"}
    assert again.routes == {named(second): "rpc"}


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (SourceSyncing(""), "syncing"),
        (BlockNotFound(""), "incomplete"),
        (SourceError(""), "unreachable"),
        (BlockCorrupt(""), "refused"),
    ],
)
def test_each_failure_says_how_a_source_is(error, state):
    assert state_of(error) == state


def test_a_failure_of_the_program_itself_is_not_taken_for_one_of_the_source(
    first, opened, monkeypatch
):
    sources = opened(node(first), f"mempool+{first.url}")
    monkeypatch.setattr("utxoracle.sources.bitcoind.BitcoindSource.tip", lambda _: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        sources.use(name)
