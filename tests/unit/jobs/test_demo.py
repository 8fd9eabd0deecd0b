import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from utxoracle.bitcoin.network import REGTEST
from utxoracle.errors import StorageError, UsageError
from utxoracle.jobs import demo as demo_module
from utxoracle.jobs.demo import DAYS_TO_COME, Demo, demo_folder, demo_options
from utxoracle.jobs.init_db import init_db
from utxoracle.jobs.status import status
from utxoracle.settings import Settings
from utxoracle.simulation.chain import SimulatedChain
from utxoracle.simulation.options import SimulationOptions

# A day that begins at `START`, and another one behind it.
OPTIONS = SimulationOptions(
    days=4, start="2026-03-01", transactions=20, blocks_per_day=100, volatility=0.0
)
START = int(datetime(2026, 3, 1, tzinfo=UTC).timestamp())
DAY = 86_400
CHAIN = SimulatedChain(OPTIONS)


class Clock:
    """Stands for the clock that the demo looks at."""

    def __init__(self) -> None:
        self.now = 0.0

    def time(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch):
    one = Clock()
    monkeypatch.setattr(demo_module, "time", one)
    return one


@pytest.fixture
def demo(clock, tmp_path):
    with Demo(OPTIONS, Settings(data_dir=tmp_path / "data")) as one:
        init_db(one.settings, REGTEST)
        yield one


def stored(demo):
    counts = status(demo.settings).counts
    return counts.first_height, counts.last_height


def test_the_chain_goes_back_some_days_and_ends_long_after_today():
    before = datetime.now(UTC).date()
    options = demo_options(seed=7, days=3)
    assert date.fromisoformat(options.start) + timedelta(days=3) in {
        before,
        datetime.now(UTC).date(),
    }
    assert (options.seed, options.days) == (7, 3 + DAYS_TO_COME)


def test_the_newest_block_is_hardly_ever_older_than_an_hour():
    chain = SimulatedChain(demo_options(seed=1, days=2))
    assert 0 <= time.time() - chain.time_at(chain.newest_at(int(time.time()))) < 2 * 3600


def test_a_first_run_stores_the_whole_chain_up_to_now(demo, clock):
    clock.now = START + 3 * DAY + DAY / 2
    newest = CHAIN.newest_at(int(clock.now))
    # More than the two days which a first run goes back by itself.
    assert newest - CHAIN.first_height > 2 * 144
    made = []
    demo.make_blocks(lambda done, total: made.append((done, total)))
    assert made[-1] == (newest - CHAIN.first_height + 1,) * 2
    report = demo.first_run(workers=1)
    assert report.caught_up
    assert report.tip.time <= clock.now
    assert [day.date for day in report.growth.days] == [date(2026, 3, day) for day in (1, 2, 3)]
    assert stored(demo) == (CHAIN.first_height, newest)


def test_blocks_are_stored_when_their_time_has_come(demo, clock):
    height = CHAIN.first_height + 150
    clock.now = CHAIN.time_at(height)
    demo.first_run(workers=1)
    assert stored(demo)[1] == height
    clock.now = CHAIN.time_at(height + 1) - 1
    assert not demo.next_run(workers=1).growth
    clock.now += 1
    report = demo.next_run(workers=1)
    assert (report.growth.first_height, report.growth.last_height) == (height + 1, height + 1)
    assert report.growth.latest.exchange.price == pytest.approx(CHAIN.price_at(height + 1), 0.01)
    assert stored(demo)[1] == height + 1


def test_a_temporary_folder_is_removed_whatever_happens():
    def fail() -> None:
        with demo_folder(None) as folder:
            (folder / "file").touch()
            found.append(folder)
            raise KeyboardInterrupt

    found: list[Path] = []
    with pytest.raises(KeyboardInterrupt):
        fail()
    assert not found[0].exists()


def test_a_temporary_folder_that_somebody_else_removed_is_no_failure():
    with demo_folder(None) as folder:
        folder.rmdir()


@pytest.mark.parametrize("is_there", [True, False], ids=["empty", "new"])
def test_a_named_folder_stays(tmp_path, is_there):
    wanted = tmp_path / "data"
    if is_there:
        wanted.mkdir()
    with demo_folder(wanted) as folder:
        assert folder == wanted
        wanted.mkdir(exist_ok=True)
        (wanted / "file").touch()
    assert (wanted / "file").exists()


def test_a_named_folder_that_holds_something_is_refused(tmp_path):
    (tmp_path / "utxoracle_cache.db").touch()
    with pytest.raises(UsageError, match="is not empty"), demo_folder(tmp_path):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["utxoracle_cache.db"]


def test_a_name_of_a_file_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="Not a directory"), demo_folder(tmp_path / "file"):
        pass


def test_no_room_for_a_temporary_folder_is_told(monkeypatch, tmp_path):
    monkeypatch.setattr(demo_module.TemporaryDirectory, "__init__", refuse)
    with (
        pytest.raises(StorageError, match="No space left on device; set TMPDIR"),
        demo_folder(None),
    ):
        pass


def refuse(*_arguments: object, **_options: object) -> None:
    raise OSError(28, "No space left on device")
