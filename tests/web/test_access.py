"""For everybody: small windows, dark rooms, keyboards, screen readers, no JavaScript."""

import importlib.util
import json
from pathlib import Path

import pytest

from tests.unit.api.serving import served
from tests.web.conftest import PATIENT

PHONE, DESK = 360, 1280


@pytest.fixture(scope="module")
def axe() -> str:
    """The source of axe-core, which several packages carry."""
    for package in ("axe_playwright_python", "axe_core_python"):
        found = importlib.util.find_spec(package)
        if found and found.origin:
            return (Path(found.origin).parent / "axe.min.js").read_text()
    pytest.skip("no axe-core: pip install --no-deps axe-playwright-python")


def serious(browser, axe):
    """Return the problems that axe-core finds, but for those that hardly matter."""
    # Not as a script of the page, which its policy would refuse.
    browser.command("Runtime.evaluate", expression=axe)
    found = browser.driver.execute_async_script(
        "const done = arguments[0]; axe.run({resultTypes: ['violations']}).then(done)"
    )
    assert found["passes"]
    return [
        (one["id"], [node["target"] for node in one["nodes"]])
        for one in found["violations"]
        if one["impact"] in ("serious", "critical")
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [PHONE, DESK])
def test_axe_finds_nothing_serious(browser, server, axe, scheme, width):
    browser.width(width)
    browser.scheme(scheme)
    browser.open(server.url)
    browser.click("summary")
    browser.click("#custom-toggle")
    assert serious(browser, axe) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious_in_banners(browser, next_block, axe, scheme):
    browser.expects_failures = True
    folder = next_block(UTXORACLE_MIN_CONFIDENCE="1", UTXORACLE_DIVERGENCE="0.000001").folder
    with served(folder, env=PATIENT | {"UTXORACLE_STALL_MINUTES": "1"}) as server:
        browser.scheme(scheme)
        browser.open(server.url)
        count = "return document.querySelectorAll('.banner').length"
        assert browser.script(count) == 3
        assert serious(browser, axe) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_shows_all_without_scrolling_sideways(browser, server, scheme):
    browser.width(PHONE)
    browser.scheme(scheme)
    browser.open(server.url)
    browser.click("summary")
    browser.click("#custom-toggle")
    widths = browser.script(
        "const page = document.documentElement; return [page.scrollWidth, page.clientWidth]"
    )
    assert widths == [PHONE, PHONE]
    wide = browser.script(
        "return [...document.querySelectorAll('body *:not(.table-box *):not(.skip)')]"
        ".filter((one) => one.getBoundingClientRect().right > arguments[0] + 0.5)"
        ".map((one) => one.outerHTML.slice(0, 80))",
        PHONE,
    )
    assert wide == []
    browser.screenshot(f"phone-{scheme}")


def test_without_javascript_the_price_is_in_the_page(browser, server):
    entry = json.loads(server.get("/api/prices/latest")[2])
    browser.command("Emulation.setScriptExecutionDisabled", value=True)
    browser.driver.get(server.url)
    shown = browser.text("main")
    assert f"${entry['utxoracle_price']:,.0f}" in shown
    assert "UTXOracle Block Window Price" in shown
    assert f"{entry['height']:,}" in shown
    assert entry["timestamp"][:10] in shown
    assert "The charts need JavaScript" in shown
    assert "Price history" not in shown
    links = [
        link.get_attribute("href")
        for link in browser.driver.find_elements("css selector", ".plain a")
    ]
    assert len(links) == 3
    for link in links:
        status, headers, _ = server.get(link.removeprefix(server.url))
        assert (status, headers["Content-Type"]) == (200, "text/csv; charset=utf-8")


def test_without_javascript_an_old_price_is_told(browser, appliance):
    with served(appliance.folder, env=PATIENT | {"UTXORACLE_STALL_MINUTES": "1"}) as server:
        browser.command("Emulation.setScriptExecutionDisabled", value=True)
        browser.driver.get(server.url)
        assert "older than 1 minutes" in browser.text(".banner")
        assert browser.find(".flag-stale").is_displayed()


def test_the_first_key_leads_past_the_head(browser, server):
    browser.open(server.url)
    browser.press("TAB")
    assert browser.find(".skip").location["y"] >= 0
    browser.press("ENTER")
    assert browser.script("return document.activeElement.id") == "main"


def test_every_link_of_the_page_leads_somewhere(browser, server):
    browser.open(server.url)
    links = browser.script(
        "return [...document.querySelectorAll('a')].map((one) => one.getAttribute('href'))"
    )
    places = {link for link in links if link.startswith("/")}
    assert {"/", "/openapi.json", "/health", "/metrics"} <= places
    for place in places:
        assert server.get(place)[0] == 200, place
