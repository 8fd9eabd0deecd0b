import json

import pytest

MINUS = "\u2212"

ORANGE, BLUE = "rgb(194, 94, 0)", "rgb(47, 111, 143)"

DRAWN = """
const line = [...document.querySelectorAll("#history-chart .scatterlayer .js-line")]
  .find((one) => one.style.stroke === arguments[0]);
return [line.getAttribute("d").split(/[ML]/).length, line.getBoundingClientRect().width];
"""
"""Points and width of a line of a colour, as it stands in the drawing."""


def answer(server, path):
    status, _, body = server.get(path)
    assert status == 200
    return json.loads(body)


@pytest.fixture
def rows(server):
    return answer(server, "/api/prices/historical?days=7")


def test_the_page_needs_no_other_host(browser, server):
    browser.open(server.url)
    browser.screenshot("light")
    assert browser.asked_hosts() == {"127.0.0.1"}
    assert browser.state() == "ok"


def test_both_lines_are_drawn(browser, server, rows):
    browser.open(server.url)
    assert len(rows) > 300
    onchain = [row["utxoracle_price"] if row["is_valid"] else None for row in rows]
    assert browser.trace("history", "On-chain")["y"] == onchain
    exchange = [row["mempool_price"] for row in rows]
    assert browser.trace("history", "Exchange")["y"] == exchange
    assert browser.trace("history", "On-chain")["x"] == [row["timestamp"] for row in rows]

    for colour in (ORANGE, BLUE):
        points, width = browser.script(DRAWN, colour)
        assert points > 100, colour
        assert width > 800, colour


def test_the_difference_has_a_band_and_a_chart_of_its_own(browser, server, rows):
    browser.open(server.url)
    both = [row for row in rows if row["is_valid"] and row["mempool_price"] is not None]
    assert len(both) > 300
    band = browser.trace("history", "Band")["y"]
    assert {row["utxoracle_price"] for row in both} <= set(band)
    assert {row["mempool_price"] for row in both} <= set(band)
    percents = [value for value in browser.trace("history", "Difference")["y"] if value is not None]
    assert percents == [row["diff_percent"] for row in both]
    colours = browser.script(
        "return document.getElementById('history-chart').data.map((one) => one.fillcolor)"
    )
    # Plotly before version 4 reads no other way of writing that a colour is translucent.
    assert colours[0].startswith("rgba(194, 94, 0, 0.")
    fills = browser.script("return document.querySelectorAll('#history-chart .js-fill').length")
    assert fills >= 2


def test_the_scatter_shows_every_point_and_the_price(browser, server):
    found = answer(server, "/api/prices/points")
    browser.open(server.url)
    dots = "return document.querySelectorAll('#points-chart .points path').length"
    assert browser.script(dots) == len(found["heights"]) > 500
    assert browser.trace("points", "Points")["y"] == found["prices"]
    assert browser.trace("points", "Price")["y"] == [found["utxoracle_price"]] * 2


def test_cards_tell_the_newest_price(browser, server):
    entry = answer(server, "/api/prices/latest")
    browser.open(server.url)
    assert browser.text("#price") == f"${entry['utxoracle_price']:,.0f}"
    assert browser.text("#label") == "UTXOracle Block Window Price"
    assert browser.text("#exchange") == f"${entry['mempool_price']:,.0f}"
    assert browser.text("#difference") == f"{entry['diff_percent']:+.2f} %".replace("-", MINUS)
    assert browser.text("#confidence") == f"{entry['confidence']:.2f}"
    assert browser.text("#height") == f"{entry['height']:,}"
    assert browser.find("#time").get_attribute("datetime") == entry["timestamp"]
    assert browser.text("#time").endswith(" UTC")
    assert "min" in browser.text("#age") or "h" in browser.text("#age")


def test_statistics_are_those_of_the_range(browser, server):
    found = answer(server, "/api/prices/comparison?days=1")
    browser.open(f"{server.url}/?days=1")
    assert browser.text("#entries") == f"{found['valid_entries']:,} of {found['total_entries']:,}"
    assert browser.text("#correlation") == f"{found['correlation']:.4f}".replace("-", MINUS)
    assert browser.text("#avg-abs") == f"{found['avg_abs_diff_percent']:.2f} %"


def test_the_newest_rows_are_a_table(browser, server, rows):
    browser.open(server.url)
    browser.click("summary")
    table = browser.script(
        "return [...document.querySelectorAll('#rows tr')].map((row) =>"
        " [...row.cells].map((cell) => cell.innerText))"
    )
    assert [row[1] for row in table] == [f"{row['height']:,}" for row in rows[:-101:-1]]
    assert table[0][2] == f"${rows[-1]['utxoracle_price']:,.0f}"
    assert browser.text("#rows-caption") == f"The newest 100 of {len(rows)} rows of the range"


def test_pointing_at_the_chart_shows_both_prices(browser, server):
    browser.open(server.url)
    browser.point_at("#history-chart", y=-60)
    browser.wait("return document.querySelector('#history-chart .hoverlayer text') !== null")
    shown = browser.script(
        "return document.querySelector('#history-chart .hoverlayer').textContent"
    )
    assert "On-chain $" in shown
    assert "Exchange $" in shown
    assert "Difference " in shown
    assert "UTC" in shown


def test_the_chart_says_in_words_what_it_shows(browser, server, rows):
    browser.open(server.url)
    said = browser.find("#history-chart").get_attribute("aria-label")
    prices = [row["utxoracle_price"] for row in rows if row["is_valid"]]
    for price in (prices[0], prices[-1], min(prices), max(prices)):
        assert f"${price:,.0f}" in said
    assert "the last 7 days" in said
    scatter = browser.find("#points-chart").get_attribute("aria-label")
    assert scatter.startswith("Scatter of ")


def test_without_plotly_the_prices_are_there_all_the_same(browser, server):
    browser.expects_failures = True
    browser.command("Network.enable")
    browser.command("Network.setBlockedURLs", urls=["*plotly.min.js*"])
    browser.open(server.url)
    assert "The charts can't be drawn" in browser.text("#history-note")
    assert "The charts can't be drawn" in browser.text("#points-note")
    assert browser.text("#price").startswith("$")
    assert browser.script("return document.querySelectorAll('#rows tr').length") == 100


def test_charts_follow_the_colours_of_the_system(browser, server):
    browser.open(server.url)

    def colour():
        return browser.script(
            "return document.getElementById('history-chart').data"
            ".find((one) => one.name === 'On-chain').line.color"
        )

    light = colour()
    browser.scheme("dark")
    browser.wait(
        "return document.getElementById('history-chart').data"
        ".find((one) => one.name === 'On-chain').line.color !== arguments[0]",
        light,
    )
    assert browser.script("return getComputedStyle(document.body).color") == "rgb(244, 239, 232)"
    browser.screenshot("dark")
