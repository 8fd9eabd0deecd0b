import subprocess
import sys

import pytest

from tests.unit.sources.conftest import OPTIONS
from utxoracle.errors import UsageError
from utxoracle.settings import Settings
from utxoracle.sources.exchange import ExchangePrice
from utxoracle.sources.sim_exchange import SimExchange

HOUR = 3600


def test_the_price_is_the_true_one_of_the_newest_block_at_the_hour(chain):
    exchange = SimExchange(OPTIONS, Settings())
    heights = range(chain.first_height, chain.tip_height + 1)
    moment = chain.time_at(chain.tip_height)
    hour = moment // HOUR * HOUR
    newest = max(height for height in heights if chain.time_at(height) <= hour)
    assert exchange.name == f"sim {OPTIONS}"
    assert exchange.prices_at([moment]) == [
        ExchangePrice(price=round(chain.price_at(newest)), time=hour, reason=None)
    ]
    exchange.close()


def test_the_rules_are_those_of_a_server(chain):
    first, tip = chain.time_at(chain.first_height), chain.time_at(chain.tip_height)
    last_hour = tip // HOUR * HOUR
    prices = SimExchange(OPTIONS, Settings(exchange_max_age=HOUR)).prices_at(
        [first - 2 * HOUR, last_hour + 2 * HOUR, last_hour, last_hour]
    )
    assert [one.reason for one in prices] == [
        "the server stored no price",
        "newest row is 2.0 h older than the block",
        None,
        None,
    ]
    assert prices[2] == prices[3]


def test_no_block_is_made_for_a_price():
    # Thousands of blocks of the largest kind, which would take an hour to make.
    exchange = SimExchange("days=60,transactions=3000,start=2025-01-01", Settings())
    assert exchange.prices_at([1_738_400_000])[0].price > 0


def test_wrong_options_are_a_usage_error():
    with pytest.raises(UsageError, match="days must be"):
        SimExchange("days=zero", Settings())


def test_a_simulated_exchange_needs_no_requests():
    program = (
        "import sys; from utxoracle.sources.factory import open_exchange; "
        "from utxoracle.settings import Settings; "
        "assert open_exchange(Settings(source='sim:')).prices_at([1735800000])[0].price; "
        "assert 'requests' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
