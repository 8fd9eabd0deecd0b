// Starts the page and keeps it fresh: every minute, as long as somebody looks at it.

import { Refused, Unreachable, ask, serverNow, token } from "./api.js";
import { bannersOf, showBanners } from "./banners.js";
import { showAge, showEmpty, showEntry } from "./cards.js";
import { linkCsv, saveCsv } from "./csv.js";
import { byId, setText } from "./dom.js";
import { awaitComparison, showComparison } from "./figures.js";
import { clock } from "./format.js";
import { redrawHistory } from "./history.js";
import { onThemeChange } from "./plotly.js";
import { redrawPoints } from "./points.js";
import { Range } from "./range.js";
import { awaitHistory, showHistory, showPoints } from "./sections.js";

const EVERY = 60_000;
const LOST_EVERY = 5_000;
const TICK = 15_000;
const UNAUTHORIZED = 401;
const NOT_FOUND = 404;
const UNAVAILABLE = 503;

const known = { entry: null, empty: null, health: null, isLost: false, heard: null, refused: null };
let range = Range.fromSearch(location.search);
let round = 0;
let timer = null;

async function refresh() {
  clearTimeout(timer);
  const mine = ++round;
  // Another range may be chosen at any time, and its own answers are then on their way.
  const isWanted = () => mine === round;
  const asked = range;
  let isLocked = false;
  try {
    const answers = await askAll(asked);
    if (!isWanted()) return;
    isLocked = Object.values(answers).some((one) => one.error?.status === UNAUTHORIZED);
    if (isLocked) wantToken();
    else showAll(answers, asked, isWanted);
  } finally {
    // Whatever was thrown above, the page goes on asking.
    if (isWanted() && !isLocked && !document.hidden) {
      timer = setTimeout(refresh, known.isLost ? LOST_EVERY : EVERY);
    }
  }
}

async function askAll({ query }) {
  const [latest, health, history, comparison, points] = await Promise.all([
    settled("/api/prices/latest"),
    settled("/health", [UNAVAILABLE]),
    settled(`/api/prices/historical?${query}`),
    settled(`/api/prices/comparison?${query}`),
    settled("/api/prices/points"),
  ]);
  return { latest, health, history, comparison, points };
}

// Nothing waits for the charts: Plotly may come late, or never.
function showAll({ latest, health, history, comparison, points }, asked, isWanted) {
  byId("token-form").hidden = true;
  showNewest(latest, health);
  if (known.empty) return;
  if (comparison.body) showComparison(comparison.body);
  showHistory(history, asked, isWanted);
  showPoints(points, isUsable(points.body), isWanted);
}

async function settled(path, alsoFine) {
  try {
    return await ask(path, alsoFine);
  } catch (error) {
    if (error instanceof Refused || error instanceof Unreachable) return { error };
    throw error;
  }
}

function showNewest(latest, health) {
  // The others may be slow because much is asked for.
  known.isLost = [latest, health].some((one) => one.error instanceof Unreachable);
  if (!known.isLost) known.heard = serverNow();
  if (latest.body) {
    Object.assign(known, { entry: latest.body, empty: null, refused: null });
    showEntry(latest.body);
  } else if (latest.error instanceof Refused) {
    const isEmpty = [NOT_FOUND, UNAVAILABLE].includes(latest.error.status);
    known.empty = isEmpty ? latest.error.detail : null;
    known.refused = isEmpty ? null : latest.error.detail;
    if (isEmpty) {
      known.entry = null;
      showEmpty();
    }
  }
  if (health.body) known.health = health.body;
  showBanners(bannersOf(known));
  showLive();
}

const isUsable = (points) => known.entry?.height !== points?.height || known.entry.is_valid;

function showLive() {
  const live = byId("live");
  live.hidden = false;
  live.dataset.is = known.isLost ? "lost" : "here";
  const heard = known.heard ? clock(known.heard) : "never";
  setText("live", known.isLost ? `Not reached; last heard ${heard}` : `Checked at ${heard}`);
}

function showRange() {
  for (const link of document.querySelectorAll(".ranges a")) {
    link.setAttribute("aria-current", String(link.dataset.days === range.days));
  }
  const toggle = byId("custom-toggle");
  toggle.setAttribute("aria-current", String(range.isCustom));
  if (range.isCustom) {
    byId("custom-from").value = range.from;
    byId("custom-to").value = range.to;
  }
  openCustom(range.isCustom);
  linkCsv(range);
}

function openCustom(isOpen) {
  byId("custom-form").hidden = !isOpen;
  byId("custom-toggle").setAttribute("aria-expanded", String(isOpen));
}

function choose(next, { isNew }) {
  range = next;
  if (isNew && range.search !== location.search) history.pushState(null, "", range.search);
  showRange();
  awaitHistory(range);
  awaitComparison();
  refresh();
}

function wantToken() {
  const form = byId("token-form");
  const isFirst = form.hidden;
  form.hidden = false;
  const details = ["The prices are shown to those who give it."];
  const wanted = { level: "notice", title: "This server wants a token", details };
  const refused = { level: "alert", title: "The server refuses this token", details };
  showBanners([token.get() ? refused : wanted]);
  document.body.dataset.state = "locked";
  known.entry = null;
  if (isFirst) byId("token").focus();
}

function tick() {
  if (document.hidden || !known.entry) return;
  showAge(known.entry);
  showBanners(bannersOf(known));
}

function start() {
  for (const section of document.querySelectorAll(".needs-script")) section.hidden = false;
  for (const link of document.querySelectorAll(".ranges a")) {
    link.addEventListener("click", (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      choose(Range.fromSearch(link.search), { isNew: true });
    });
  }
  byId("custom-toggle").addEventListener("click", () => openCustom(byId("custom-form").hidden));
  byId("custom-form").addEventListener("submit", (event) => {
    event.preventDefault();
    // The earlier of the two is the first day, in whatever order they were given.
    const [from, to] = [byId("custom-from").value, byId("custom-to").value].sort();
    choose(new Range({ from, to }), { isNew: true });
  });
  byId("token-form").addEventListener("submit", (event) => {
    event.preventDefault();
    token.set(byId("token").value.trim());
    refresh();
  });
  byId("csv").addEventListener("click", (event) => saveCsv(event, range));
  addEventListener("popstate", () => choose(Range.fromSearch(location.search), { isNew: false }));
  document.addEventListener("visibilitychange", () => (document.hidden ? clearTimeout(timer) : refresh()));
  onThemeChange(() => {
    redrawHistory();
    redrawPoints();
  });
  setInterval(tick, TICK);
  showRange();
  refresh();
}

start();
