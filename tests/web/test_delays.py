"""Answers and charts that come late: what is shown must be what was asked for last."""

import json

import pytest

from tests.web.test_ranges import wait_for_rows

HELD = """
const gates = {};
const gate = (name) => {
  if (!gates[name]) {
    gates[name] = {};
    gates[name].passed = new Promise((resolve) => { gates[name].open = resolve; });
  }
  return gates[name];
};
window.letPass = (name) => gate(name).open();

const append = Element.prototype.append;
HTMLHeadElement.prototype.append = function (script) {
  gate("plotly").passed.then(() => append.call(this, script));
};

const ask = window.fetch;
window.fetch = async (path, options) => {
  if (path.includes("days=1")) await gate("days=1").passed;
  if (path.includes("days=30")) throw new TypeError("made to fail");
  return ask(path, options);
};

window.planned = new Set();
const plan = window.setTimeout;
window.setTimeout = (call, wait, ...rest) => {
  const id = plan(call, wait, ...rest);
  if (wait === 60000 || wait === 5000) planned.add(id);
  return id;
};
const cancel = window.clearTimeout;
window.clearTimeout = (id) => {
  planned.delete(id);
  cancel(id);
};
"""
"""Holds Plotly and the answers about one day back until they are let pass; lets those about 30 days
fail; and keeps book of the rounds that are planned."""

NONE = "\u2013"

BUSY = "return document.getElementById('history-chart').ariaBusy"
ROWS = "return document.querySelectorAll('#rows tr').length"
PLANNED = "return planned.size"


@pytest.fixture
def held(browser):
    with browser.at_start(HELD):
        yield browser


def entries(server, query):
    found = json.loads(server.get(f"/api/prices/comparison?{query}")[2])
    return f"{found['valid_entries']:,} of {found['total_entries']:,}"


def let_pass(browser, name):
    """Let what is held pass, and all that follows from it at once."""
    browser.script("letPass(arguments[0])", name)


def test_figures_and_rows_do_not_wait_for_plotly(held, server):
    held.driver.get(server.url)
    held.wait_for_text("#entries", entries(server, "days=7"))
    assert held.script(ROWS) == 100
    assert held.script(BUSY) != "false"
    # A chart that never comes must not end the refreshing.
    held.wait(f"{PLANNED} === 1")


def test_an_earlier_range_does_not_come_over_a_newer_one(held, server):
    held.driver.get(server.url)
    held.wait_for_text("#entries", entries(server, "days=7"))
    held.click("a[data-days='1']")
    let_pass(held, "plotly")
    held.wait("return window.Plotly !== undefined")
    # Longer than it takes to draw a chart that is wanted.
    pause = "const done = arguments[0]; setTimeout(() => requestAnimationFrame(done), 500)"
    held.driver.execute_async_script(pause)
    assert held.script("return document.getElementById('history-chart').data === undefined")
    assert held.script(BUSY) == "true"
    assert held.script(ROWS) == 0
    assert held.text("#entries") == NONE
    assert held.script(PLANNED) == 0

    let_pass(held, "days=1")
    rows = json.loads(server.get("/api/prices/historical?days=1")[2])
    wait_for_rows(held, len(rows))
    assert held.text("#entries") == entries(server, "days=1")
    assert held.script(PLANNED) == 1


def test_one_answer_that_does_not_come_is_not_a_server_that_is_gone(held, server):
    held.driver.get(f"{server.url}/?days=30")
    held.wait_for_text("#history-note", "No answer came")
    assert "Checked at" in held.text("#live")
    assert held.text("#alerts") == ""
    assert held.text("#price").startswith("$")


def test_whatever_goes_wrong_the_page_goes_on_asking(held, server):
    broken = (
        "Object.defineProperty(Intl.NumberFormat.prototype, 'format',"
        " {get() { throw new Error('made to fail'); }})"
    )
    with held.at_start(broken):
        held.driver.get(server.url)
        held.wait(f"{PLANNED} === 1")
    assert any("made to fail" in problem for problem in held.problems())
