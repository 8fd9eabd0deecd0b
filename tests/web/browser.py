"""A real Chromium without a window, and what the tests want to know of a page in it."""

import base64
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement

SECONDS = 60
"""How long anything may take in the browser; a machine may be busy with other tests."""

OPTIONS = (
    "--headless=new",
    # Root may start it only so, as in a container.
    "--no-sandbox",
    # Containers have little shared memory.
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--disable-component-update",
    "--disable-background-networking",
    "--hide-scrollbars",
    # There is no network but for this machine.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)

DONE = """
if (document.getElementById("live").hidden) return false;
if (document.body.dataset.state === "empty") return true;
const chart = document.getElementById("history-chart");
const isDrawn = (id) => document.querySelector(`#${id}-chart .main-svg`) !== null
  || document.getElementById(`${id}-note`).textContent !== "Loading…";
return chart.getAttribute("aria-busy") === "false"
  && isDrawn("history") && isDrawn("points");
"""


class Browser:
    """One window, used by one test after the other.

    Attributes:
        expects_failures: Whether requests may fail in this test, which the console then tells.
    """

    def __init__(self, chromium: str, chromedriver: str, screenshots: Path) -> None:
        options = webdriver.ChromeOptions()
        options.binary_location = chromium
        for option in OPTIONS:
            options.add_argument(option)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        self.driver = webdriver.Chrome(options, service=Service(chromedriver))
        self.driver.set_script_timeout(SECONDS)
        self._screenshots = screenshots
        self.downloads = screenshots / "downloads"
        self.expects_failures = False

    def begin(self) -> None:
        """Forget what came before; to be called before each test."""
        self.expects_failures = False
        self.driver.get("about:blank")
        self.width(1280)
        self.scheme("light")
        self.command("Emulation.setScriptExecutionDisabled", value=False)
        self.command("Network.setBlockedURLs", urls=[])
        self.command(
            "Browser.setDownloadBehavior", behavior="allow", downloadPath=str(self.downloads)
        )
        self.driver.get_log("browser")
        self.driver.get_log("performance")

    def problems(self) -> list[str]:
        """Return what the console complained of since the last time."""
        return [
            f"{line['source']}: {line['message']}"
            for line in self.driver.get_log("browser")
            if line["level"] in ("SEVERE", "WARNING")
            and not (self.expects_failures and line["source"] == "network")
        ]

    def close(self) -> None:
        self.driver.quit()

    # What it is told

    def command(self, name: str, **arguments: Any) -> Any:
        return self.driver.execute_cdp_cmd(name, arguments)

    def width(self, width: int, height: int = 900) -> None:
        self.command(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )

    def scheme(self, scheme: str) -> None:
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.command("Emulation.setEmulatedMedia", features=features)

    def open(self, url: str) -> None:
        """Open a page and wait until all that it asks for is there."""
        self.driver.get(url)
        self.wait(DONE)

    @contextmanager
    def at_start(self, script: str) -> Iterator[None]:
        """Run a script in each page before its own ones; the last page is left at the end."""
        found = self.command("Page.addScriptToEvaluateOnNewDocument", source=script)
        try:
            yield
        finally:
            self.driver.get("about:blank")
            self.command("Page.removeScriptToEvaluateOnNewDocument", identifier=found["identifier"])

    def click(self, selector: str) -> None:
        self.find(selector).click()

    def fill(self, selector: str, text: str) -> None:
        element = self.find(selector)
        element.clear()
        element.send_keys(text)

    def press(self, *names: str) -> None:
        """Press keys, named as selenium does: TAB, ENTER."""
        for name in names:
            ActionChains(self.driver).send_keys(getattr(Keys, name)).perform()

    def point_at(self, selector: str, *, x: int = 0, y: int = 0) -> None:
        """Move the mouse to a place so far from the middle of an element."""
        element = self.find(selector)
        self.script("arguments[0].scrollIntoView({block: 'center'})", element)
        ActionChains(self.driver).move_to_element_with_offset(element, x, y).perform()

    def drag(self, selector: str, start: tuple[int, int], by: tuple[int, int]) -> None:
        self.point_at(selector, x=start[0], y=start[1])
        ActionChains(self.driver).click_and_hold().move_by_offset(*by).release().perform()

    # What it shows

    def script(self, script: str, *arguments: Any) -> Any:
        return self.driver.execute_script(script, *arguments)

    def wait(self, script: str, *arguments: Any) -> Any:
        """Return what a script returns, as soon as that is true."""
        ends_at = time.monotonic() + SECONDS
        while not (found := self.script(script, *arguments)):
            assert time.monotonic() < ends_at, f"never true: {script}\n{self.text('body')}"
            time.sleep(0.05)
        return found

    def find(self, selector: str) -> WebElement:
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def text(self, selector: str) -> str:
        """Return the text that is seen."""
        return self.find(selector).text

    def wait_for_text(self, selector: str, text: str) -> None:
        self.wait(
            "return document.querySelector(arguments[0]).innerText.includes(arguments[1])",
            selector,
            text,
        )

    def wait_for_file(self, pattern: str) -> None:
        """Wait until a download is there as a whole."""
        ends_at = time.monotonic() + SECONDS
        while not list(self.downloads.glob(pattern)):
            assert time.monotonic() < ends_at, "nothing is downloaded"
            time.sleep(0.05)

    def state(self) -> str:
        return str(self.script("return document.body.dataset.state"))

    def trace(self, chart: str, name: str) -> dict[str, list[Any]]:
        """Return what a line of a chart was drawn from: `x` and `y`."""
        found = self.script(
            "const trace = document.getElementById(`${arguments[0]}-chart`).data"
            ".find((one) => one.name === arguments[1]);"
            "return {x: trace.x, y: trace.y}",
            chart,
            name,
        )
        assert isinstance(found, dict)
        return found

    def requests(self) -> list[tuple[str, int]]:
        """Return what was asked since the last time, and the status of the answers."""
        messages = [
            json.loads(line["message"])["message"] for line in self.driver.get_log("performance")
        ]
        return [
            (message["params"]["response"]["url"], message["params"]["response"]["status"])
            for message in messages
            if message["method"] == "Network.responseReceived"
        ]

    def asked_hosts(self) -> set[str]:
        """Return every host that something was asked of since the last time, answered or not."""
        messages = [
            json.loads(line["message"])["message"] for line in self.driver.get_log("performance")
        ]
        urls = [
            urlsplit(message["params"]["request"]["url"])
            for message in messages
            if message["method"] == "Network.requestWillBeSent"
        ]
        return {url.hostname or "" for url in urls if url.scheme in ("http", "https", "ws", "wss")}

    def screenshot(self, name: str) -> Path:
        """Keep a picture of the whole page."""
        size = self.script(
            "const page = document.documentElement; return [page.clientWidth, page.scrollHeight]"
        )
        picture = self.command(
            "Page.captureScreenshot",
            captureBeyondViewport=True,
            clip={"x": 0, "y": 0, "width": size[0], "height": size[1], "scale": 1},
        )
        path = self._screenshots / f"{name}.png"
        path.write_bytes(base64.b64decode(picture["data"]))
        return path
