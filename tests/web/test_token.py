import pytest

from tests.unit.api.serving import served
from tests.web.conftest import PATIENT

TOKEN = "a-token-that-is-long-enough"


@pytest.fixture
def guarded(appliance, tmp_path):
    file = tmp_path / "token"
    file.write_text(TOKEN + "\n")
    with served(appliance.folder, env=PATIENT | {"UTXORACLE_API_TOKEN_FILE": str(file)}) as server:
        yield server


def test_a_token_opens_the_page(browser, guarded):
    browser.expects_failures = True
    browser.driver.get(guarded.url)
    browser.wait("return !document.getElementById('token-form').hidden")
    assert "This server wants a token" in browser.text("#notices")
    assert not browser.find("#history-section").is_displayed()
    assert browser.script("return document.activeElement.id") == "token"
    browser.screenshot("token")

    browser.fill("#token", "not-the-token-that-it-is")
    browser.press("ENTER")
    browser.wait_for_text("#alerts", "The server refuses this token")

    browser.fill("#token", TOKEN)
    browser.press("ENTER")
    browser.wait("return document.querySelector('#points-chart .main-svg') !== null")
    assert browser.text("#price").startswith("$")
    assert not browser.find("#token-form").is_displayed()
    assert browser.text("#alerts") == browser.text("#notices") == ""
    assert browser.script("return sessionStorage.getItem('utxoracle-token')") == TOKEN

    browser.open(guarded.url)
    assert browser.text("#price").startswith("$")


def test_the_csv_can_be_had_with_a_token(browser, guarded):
    browser.expects_failures = True
    browser.driver.get(guarded.url)
    browser.script("sessionStorage.setItem('utxoracle-token', arguments[0])", TOKEN)
    browser.open(f"{guarded.url}/?days=1")
    browser.click("#csv")
    ends = "utxoracle_block_*.csv"
    browser.wait_for_file(ends)
    (file,) = browser.downloads.glob(ends)
    rows = file.read_text().splitlines()[1:]
    assert len(rows) == len(browser.trace("history", "On-chain")["x"])
    file.unlink()
