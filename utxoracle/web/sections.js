// The two charts with what belongs to them: rows, notes, and which range is drawn.

import { Refused } from "./api.js";
import { byId, setText } from "./dom.js";
import { drawHistory } from "./history.js";
import { drawPoints } from "./points.js";
import { showRows } from "./table.js";

const NO_ANSWER = "No answer came from the server; this page keeps asking it.";

let drawnRange = null;
let drawnRows = null;
let drawnPoints = null;

// Say that the chart of a range is on its way, if it is another one than is shown.
export function awaitHistory(range) {
  if (drawnRange === range.search) return;
  drawnRange = null;
  byId("history-chart").setAttribute("aria-busy", "true");
  showRows([]);
}

// Show the answer of /api/prices/historical; as soon as `isWanted()` is false, nothing more of it.
export async function showHistory(answer, range, isWanted) {
  const isDrawn = drawnRange === range.search;
  if (answer.body && (answer.body !== drawnRows || !isDrawn)) {
    await showNewHistory(answer, range, isWanted);
  } else if (answer.error instanceof Refused) {
    note("history", answer.error.detail);
  } else if (answer.error && !isDrawn) {
    note("history", NO_ANSWER);
  }
  if (isWanted()) byId("history-chart").setAttribute("aria-busy", "false");
}

async function showNewHistory({ body: rows, headers }, range, isWanted) {
  const interval = headers.get("X-Interval");
  setText("interval", interval ? `one price per ${interval}, times in UTC` : "times in UTC");
  showRows(rows);
  if (rows.length === 0) note("history", "Nothing is stored in this range.");
  const isDone = rows.length === 0 || (await draws("history", () => drawHistory(rows, range, isWanted), isWanted));
  if (!isWanted()) return;
  drawnRange = isDone ? range.search : null;
  drawnRows = rows;
}

// Show the answer of /api/prices/points; whether its price is valid, only the newest one tells.
export async function showPoints(answer, isValid, isWanted) {
  if (answer.body && answer.body !== drawnPoints) {
    const isDone = await draws("points", () => drawPoints(answer.body, isValid, isWanted), isWanted);
    if (isWanted()) drawnPoints = isDone ? answer.body : null;
  } else if (answer.error && !drawnPoints) {
    note("points", answer.error instanceof Refused ? answer.error.detail : NO_ANSWER);
  }
}

async function draws(name, draw, isWanted) {
  try {
    const isDone = await draw();
    if (isDone) note(name, "");
    return isDone;
  } catch (error) {
    if (isWanted()) note(name, error.message);
    return false;
  }
}

// A note stands in the place of its chart, which then shows something else than was asked for.
function note(name, text) {
  setText(`${name}-note`, text);
  byId(`${name}-chart`).dataset.shown = String(text === "");
}
