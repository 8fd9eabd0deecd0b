"""What must not be overlooked: each state comes from a real run, or from its being missing."""

import json
from urllib.parse import urlsplit

from tests.appliance import Appliance
from tests.unit.api.serving import served
from tests.web.conftest import PATIENT

HURRIED = """
const usual = window.setTimeout;
window.setTimeout = (call, wait, ...rest) => usual(call, wait === 60000 ? 300 : wait, ...rest);
"""
"""Lets a minute be over at once."""


def banners(browser):
    return browser.script(
        "return [...document.querySelectorAll('.banner')].map((one) =>"
        " [one.closest('[role]').getAttribute('role'), one.querySelector('strong').innerText])"
    )


def test_a_good_price_needs_no_banner(browser, server):
    browser.open(server.url)
    assert browser.state() == "ok"
    assert banners(browser) == []
    assert not browser.find(".flag-stale").is_displayed()
    assert not browser.find(".flag-invalid").is_displayed()


def test_an_old_block_is_told(browser, appliance):
    browser.expects_failures = True
    with served(appliance.folder, env=PATIENT | {"UTXORACLE_STALL_MINUTES": "1"}) as server:
        browser.open(server.url)
        assert browser.state() == "stale"
        assert banners(browser) == [
            ["alert", "No new block for more than 1 min: this price is old"]
        ]
        assert browser.find(".flag-stale").is_displayed()
        browser.screenshot("stale")


def test_a_price_that_is_not_valid_does_not_look_like_one(browser, next_block):
    folder = next_block(UTXORACLE_MIN_CONFIDENCE="1").folder
    with served(folder, env=PATIENT) as server:
        _, _, body = server.get("/api/prices/latest")
        browser.open(server.url)
        assert browser.state() == "invalid"
        assert banners(browser) == [["alert", "The newest price is not valid"]]
        reason = json.loads(body)["invalid_reason"]
        assert reason in browser.text("#alerts")
        assert browser.find(".flag-invalid").is_displayed()
        decoration = "return getComputedStyle(document.getElementById('price')).textDecorationLine"
        assert browser.script(decoration) == "line-through"
        assert "not valid" in browser.driver.title

        marked = browser.trace("history", "Not valid")
        assert marked["x"] == [json.loads(body)["timestamp"]]
        assert browser.trace("history", "On-chain")["y"][-1] is None
        assert browser.find("#invalid-key").is_displayed()
        browser.click("summary")
        assert reason in browser.text("#rows tr:first-child td:last-child")
        browser.screenshot("invalid")


def test_prices_that_diverge_are_told(browser, next_block):
    folder = next_block(UTXORACLE_DIVERGENCE="0.000001").folder
    with served(folder, env=PATIENT) as server:
        browser.open(server.url)
        assert browser.state() == "ok"
        assert banners(browser) == [["status", "The two prices diverge"]]
        assert browser.text("#exchange") in browser.text("#notices")


def test_what_the_service_knows_of_its_health_is_told(browser, appliance):
    browser.expects_failures = True
    with served(appliance.folder, env=PATIENT | {"UTXORACLE_RUN_MINUTES": "0"}) as server:
        browser.open(server.url)
        assert browser.state() == "ok"
        assert banners(browser) == [["alert", "The service is unhealthy"]]
        assert "No run has gone well for" in browser.text("#alerts")


def test_before_the_first_price_the_page_says_so(browser, tmp_path):
    browser.expects_failures = True
    Appliance(tmp_path / "data", "").init()
    with served(tmp_path / "data", env=PATIENT) as server:
        browser.open(server.url)
        assert browser.state() == "empty"
        assert browser.text("#price") == "No price yet"
        assert ["alert", "Nothing to show"] in banners(browser)
        assert "145th stored block" in browser.text("#alerts")
        assert not browser.find("#history-section").is_displayed()
        browser.screenshot("empty")


def test_without_a_snapshot_the_page_says_why(browser, tmp_path):
    browser.expects_failures = True
    with served(tmp_path, env=PATIENT) as server:
        browser.open(server.url)
        assert browser.state() == "empty"
        assert "utxoracle_snapshot.db" in browser.text("#alerts")


def test_a_server_that_is_gone_is_told_until_it_is_back(browser, appliance):
    browser.expects_failures = True
    with served(appliance.folder, env=PATIENT) as server, browser.at_start(HURRIED):
        browser.open(server.url)
        price = browser.text("#price")
        server.end()
        browser.wait_for_text("#alerts", "The server can't be reached")
        assert browser.text("#price") == price
        assert "may be out of date" in browser.text("#alerts")
        assert "Not reached" in browser.text("#live")
        browser.click("a[data-days='1']")
        browser.wait_for_text("#history-note", "No answer came")
        assert not browser.find("#history-chart").is_displayed()
        browser.screenshot("gone")

        port = str(urlsplit(server.url).port)
        with served(appliance.folder, env=PATIENT | {"UTXORACLE_API_PORT": port}):
            browser.wait("return document.querySelectorAll('.banner').length === 0")
            browser.wait("return document.getElementById('history-chart').dataset.shown === 'true'")
            assert "Checked at" in browser.text("#live")


def test_a_new_block_comes_by_itself_and_leaves_the_zoom_as_it_is(
    browser, appliance, node, tip, tmp_path
):
    copy = appliance.copy(tmp_path / "data")
    with served(copy.folder, env=PATIENT) as server, browser.at_start(HURRIED):
        browser.open(server.url)
        browser.drag("#history-chart", (-200, -100), (250, 60))
        zoom = "return document.getElementById('history-chart').layout.xaxis.range"
        zoomed = browser.script(zoom)
        assert browser.find("#history-reset").is_displayed()
        browser.wait("return performance.getEntriesByName(location.origin + '/health').length > 3")
        asked = [(url, status) for url, status in browser.requests() if "/api/" in url]
        assert {status for url, status in asked[5:]} == {304}

        try:
            node.show(tip + 1)
            copy.analyze()
            browser.wait_for_text("#height", f"{tip + 1:,}")
            browser.wait(
                "const chart = document.getElementById('history-chart');"
                "return chart.data.find((one) => one.name === 'On-chain').x.at(-1)"
                " === document.getElementById('time').dateTime"
            )
        finally:
            node.show(tip)
        assert browser.script(zoom) == zoomed
        browser.click("#history-reset")
        assert browser.script(zoom) != zoomed
        assert not browser.find("#history-reset").is_displayed()


def test_a_price_that_is_not_valid_is_told_to_whoever_looks_already(
    browser, appliance, node, tip, tmp_path
):
    copy = appliance.copy(tmp_path / "data")
    with served(copy.folder, env=PATIENT) as server, browser.at_start(HURRIED):
        browser.open(server.url)
        assert browser.state() == "ok"
        try:
            node.show(tip + 1)
            copy.analyze(UTXORACLE_MIN_CONFIDENCE="1")
            browser.wait("return document.body.dataset.state === 'invalid'")
        finally:
            node.show(tip)
        browser.wait_for_text("#alerts", "The newest price is not valid")
        assert browser.find(".flag-invalid").is_displayed()


def test_nothing_is_asked_while_nobody_looks(browser, server):
    hide = (
        "Object.defineProperty(document, 'hidden', {configurable: true, get: () => arguments[0]});"
        "document.dispatchEvent(new Event('visibilitychange'))"
    )
    asked = "return performance.getEntriesByName(location.origin + '/health').length"
    with browser.at_start(HURRIED):
        browser.open(server.url)
        browser.wait(f"{asked} >= 2")
        browser.script(f"const hidden = true; {hide.replace('arguments[0]', 'true')}")
        # What was under way is answered first.
        browser.wait("return document.getElementById('history-chart').ariaBusy !== 'true'")
        pause = "const done = arguments[0]; setTimeout(() => done(true), 1500)"
        browser.driver.execute_async_script(pause)
        before = browser.script(asked)
        browser.driver.execute_async_script(pause)
        assert browser.script(asked) == before
        browser.script(hide.replace("arguments[0]", "false"))
        browser.wait(f"{asked} > {before}")
