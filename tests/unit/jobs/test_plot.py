import re

import pytest

from utxoracle.bitcoin.network import REGTEST
from utxoracle.jobs.plot import HEIGHT, LEFT, RIGHT, TOP, WIDTH, plot
from utxoracle.jobs.price import Question, price
from utxoracle.price.scatter import shown_range


@pytest.fixture(scope="module")
def answer(source):
    return price(source, Question(), network=REGTEST)


@pytest.fixture(scope="module")
def page(answer):
    return plot(answer)


def dots(page):
    path = re.search(r'<path class="points" d="([^"]*)"', page).group(1)
    return [tuple(map(float, dot)) for dot in re.findall(r"M([\d.]+) ([\d.]+)h0", path)]


def test_the_page_shows_the_price_its_name_and_its_day(page, answer):
    assert f"${int(answer.estimate.price):,}" in page
    assert "UTXOracle Consensus Price, 2025-01-02" in page


def test_every_point_in_the_shown_range_is_drawn_inside_the_frame(page, answer):
    prices = answer.estimate.point_prices
    low, high = shown_range(prices, answer.estimate.price)
    drawn = dots(page)
    assert len(drawn) == ((prices > low) & (prices < high)).sum()
    assert all(LEFT <= x <= WIDTH - RIGHT and TOP <= y <= HEIGHT for x, y in drawn)


def test_points_of_later_blocks_lie_further_right(page):
    xs = [x for x, _ in dots(page)]
    assert xs == sorted(xs)


def test_the_page_needs_no_network_and_no_script(page):
    tags = set(re.findall(r"<([a-z]+)", page))
    assert {"html", "svg", "path"} <= tags
    assert not tags & {"script", "link", "img", "iframe", "use", "image"}
    assert not re.search(r"\b(src|href|srcset|action)=", page)
    assert "http" not in page
    assert "url(" not in page


def test_a_run_of_one_block_can_be_drawn(source):
    run = price(source, Question(heights=(900, 901)), network=REGTEST)
    assert dots(plot(run))
