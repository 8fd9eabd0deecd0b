"""On simulated days, whose true price is known, a lower confidence means a larger error."""

from statistics import mean

import numpy as np
import pytest

from utxoracle.bitcoin.network import REGTEST
from utxoracle.bitcoin.scan import scan_block
from utxoracle.price.estimate import estimate
from utxoracle.price.window import gather, link
from utxoracle.simulation.chain import SimulatedChain
from utxoracle.simulation.options import SimulationOptions

BLOCKS = 100
KINDS = (
    "price=60000",
    "price=200000",
    "volatility=0.05",
    "volatility=0.1",
    "volatility=0.4",
    "noise=0.9",
    "noise=0.99",
    "noise=1.0",
    "transactions=8",
    "price=16000",
)
SEEDS = (1, 2)


def confidence_and_error(options: str) -> tuple[float, float]:
    chain = SimulatedChain(SimulationOptions.parse(options))
    heights = range(chain.first_height, chain.first_height + BLOCKS)
    scans = [
        scan_block(
            chain.raw_block(height),
            expected_hash=chain.hash_at(height),
            height=height,
            network=REGTEST,
        )
        for height in heights
    ]
    found = estimate(gather(link(scans)))
    true_price = mean(map(chain.price_at, heights))
    return found.confidence, abs(found.price / true_price - 1)


@pytest.fixture(scope="module")
def days() -> dict[str, tuple[float, float]]:
    return {
        options: confidence_and_error(options)
        for kind in KINDS
        for seed in SEEDS
        for options in [f"seed={seed},{'' if 'tra' in kind else 'transactions=60,'}{kind}"]
    }


def ranks(values: list[float]) -> np.ndarray:
    return np.argsort(np.argsort(values))


def test_confidence_orders_days_by_their_error(days):
    confidences, errors = zip(*days.values(), strict=True)
    correlation = np.corrcoef(ranks(confidences), ranks(errors))[0, 1]
    assert correlation < -0.75


def test_every_day_of_high_confidence_is_right_and_every_day_far_off_has_a_low_one(days):
    for options, (confidence, error) in days.items():
        if confidence > 0.5:
            assert error < 0.02, options
        if error > 0.1:
            assert confidence < 0.4, options


def test_a_price_at_twice_the_true_one_has_no_confidence(days):
    doubled = [figures for options, figures in days.items() if "price=16000" in options]
    assert doubled
    for confidence, error in doubled:
        assert error == pytest.approx(1, rel=0.02)
        assert confidence == 0
