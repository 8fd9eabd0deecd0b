import csv
import io
import json
from datetime import UTC, datetime, timedelta

import pytest

CURRENT = """
return [...document.querySelectorAll(".ranges [aria-current=true]")].map((one) => one.innerText)
"""


def heights(browser):
    """How many rows are drawn."""
    return len(browser.trace("history", "On-chain")["x"])


def path(browser, server):
    return browser.driver.current_url.removeprefix(server.url)


def wait_for_rows(browser, count):
    browser.wait(
        "const chart = document.getElementById('history-chart');"
        "return chart.data?.find((one) => one.name === 'On-chain').x.length === arguments[0]"
        " && chart.getAttribute('aria-busy') === 'false'",
        count,
    )


@pytest.fixture
def count(server):
    def of(query):
        _, _, body = server.get(f"/api/prices/historical?{query}")
        return len(json.loads(body))

    return of


def test_another_range_is_another_url_and_other_rows(browser, server, count):
    browser.open(server.url)
    assert browser.script(CURRENT) == ["7 days"]
    assert heights(browser) == count("days=7")

    browser.click("a[data-days='1']")
    wait_for_rows(browser, count("days=1"))
    assert path(browser, server) == "/?days=1"
    assert browser.script(CURRENT) == ["1 day"]
    assert 0 < count("days=1") < count("days=7")

    browser.click("a[data-days='30']")
    wait_for_rows(browser, count("days=30"))
    browser.click("a[data-days='all']")
    wait_for_rows(browser, count("days=36500"))

    for expected in ("days=30", "days=1", "days=7"):
        browser.driver.back()
        wait_for_rows(browser, count(expected))
        assert path(browser, server) in (f"/?{expected}", "/")
    assert browser.script(CURRENT) == ["7 days"]
    browser.driver.forward()
    wait_for_rows(browser, count("days=1"))
    assert path(browser, server) == "/?days=1"


@pytest.mark.parametrize("interval", ["block", "hour", "day"])
def test_the_interval_of_the_rows_is_told(browser, server, count, interval):
    # The server chooses a longer one than a block only where more is stored than here.
    asked = (
        "const ask = window.fetch;"
        "window.fetch = (path, options) => ask("
        f"path.replace('historical?', 'historical?interval={interval}&'), options)"
    )
    with browser.at_start(asked):
        browser.open(server.url)
        wait_for_rows(browser, count(f"interval={interval}&days=7"))
        assert browser.text("#interval") == f"one price per {interval}, times in UTC"


@pytest.mark.parametrize(
    "search",
    [
        "?days=0",
        "?days=x",
        "?from=2026-01-01",
        "?to=x&from=y",
        "?from=2026-02-30&to=2026-03-02",
        "?from=2026-02-01&to=2026-13-01",
        "?from=1969-12-31&to=2026-03-02",
        "?from=2026-02-01&to=9999-12-31",
    ],
)
def test_a_range_that_cannot_be_read_is_the_usual_one(browser, server, search):
    browser.open(f"{server.url}/{search}")
    assert browser.script(CURRENT) == ["7 days"]
    assert heights(browser) > 0
    assert browser.find("#csv").get_attribute("href").endswith("?days=7&format=csv")


def test_days_of_ones_own_are_both_included(browser, server):
    today = datetime.now(UTC).date()
    first, last = today - timedelta(days=3), today - timedelta(days=2)
    browser.open(server.url)
    browser.click("#custom-toggle")
    for selector, day in (("#custom-from", last), ("#custom-to", first)):
        # What keys a field for dates takes depends on the language of the system.
        browser.script("arguments[0].value = arguments[1]", browser.find(selector), str(day))
    browser.click("#custom-form button")
    browser.wait("return location.search === arguments[0]", f"?from={first}&to={last}")
    browser.wait(
        "return document.getElementById('history-chart').getAttribute('aria-busy') === 'false'"
    )
    days = {time[:10] for time in browser.trace("history", "On-chain")["x"]}
    assert days == {str(first), str(last)}
    assert browser.script(CURRENT) == ["Custom"]

    browser.open(browser.driver.current_url)
    assert browser.find("#custom-from").get_attribute("value") == str(first)
    assert {time[:10] for time in browser.trace("history", "On-chain")["x"]} == days


def test_going_back_closes_the_form_of_days_of_ones_own(browser, server, count):
    browser.open(f"{server.url}/?days=1")
    browser.click("#custom-toggle")
    for selector in ("#custom-from", "#custom-to"):
        browser.script("arguments[0].value = '2020-01-01'", browser.find(selector))
    browser.click("#custom-form button")
    browser.wait_for_text("#history-note", "Nothing is stored in this range.")
    assert browser.find("#custom-form").is_displayed()
    browser.driver.back()
    wait_for_rows(browser, count("days=1"))
    assert not browser.find("#custom-form").is_displayed()
    assert browser.find("#custom-toggle").get_attribute("aria-expanded") == "false"
    browser.driver.forward()
    browser.wait_for_text("#history-note", "Nothing is stored in this range.")
    assert browser.find("#custom-form").is_displayed()


def test_a_range_in_which_nothing_is_stored_says_so(browser, server):
    browser.open(f"{server.url}/?from=2020-01-01&to=2020-01-02")
    assert browser.text("#history-note") == "Nothing is stored in this range."
    assert not browser.find("#history-chart").is_displayed()
    browser.click("a[data-days='1']")
    browser.wait("return document.getElementById('history-chart').dataset.shown === 'true'")
    assert browser.text("#history-note") == ""


def test_the_csv_is_of_the_range_that_is_shown(browser, server):
    browser.open(f"{server.url}/?days=1")
    link = browser.find("#csv").get_attribute("href")
    _, headers, body = server.get(link.removeprefix(server.url))
    assert headers["Content-Type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(body.decode())))
    assert [row["timestamp"] for row in rows] == browser.trace("history", "On-chain")["x"]


def test_the_keyboard_alone_reaches_every_range(browser, server, count):
    browser.open(server.url)
    reached = []
    while "90 days" not in reached:
        browser.press("TAB")
        reached.append(
            browser.script(
                "const at = document.activeElement; return at.getAttribute('aria-label')"
                " ?? at.innerText.trim()"
            )
        )
        assert len(reached) < 20, reached
    assert reached == [
        "Skip to the price", "utxoracle", "1 day", "7 days", "30 days", "90 days",
    ]  # fmt: skip
    ring = browser.script("return getComputedStyle(document.activeElement).outlineStyle")
    assert ring == "solid"
    browser.press("ENTER")
    wait_for_rows(browser, count("days=90"))
    assert path(browser, server) == "/?days=90"

    browser.press("TAB", "TAB", "ENTER")
    assert browser.find("#custom-form").is_displayed()
    browser.press("TAB")
    assert browser.script("return document.activeElement.id") == "custom-from"
