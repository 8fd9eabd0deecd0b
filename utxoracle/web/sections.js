// The two charts with what belongs to them: rows, notes, and which range is drawn.

import { Refused } from "./api.js";
import { byId, setText } from "./dom.js";
import { drawHistory } from "./history.js";
import { drawPoints } from "./points.js";
import { showRows } from "./table.js";

let drawnRange = null;
let arePointsDrawn = false;

// Say that the chart of a range is on its way, if it is another one than is shown.
export function awaitHistory(range) {
  if (drawnRange === range.search) return;
  drawnRange = null;
  byId("history-chart").setAttribute("aria-busy", "true");
  showRows([]);
}

export async function showHistory(answer, range) {
  const isDrawn = drawnRange === range.search;
  if (answer.body && (answer.isNew || !isDrawn)) {
    await showNewHistory(answer, range);
  } else if (answer.error instanceof Refused) {
    note("history", answer.error.detail);
  } else if (answer.error && !isDrawn) {
    note("history", "The server can't be reached.");
  }
  byId("history-chart").setAttribute("aria-busy", "false");
}

async function showNewHistory({ body: rows, headers }, range) {
  const interval = headers.get("X-Interval");
  setText("interval", interval ? `one price per ${interval}, times in UTC` : "times in UTC");
  showRows(rows);
  if (rows.length === 0) note("history", "Nothing is stored in this range.");
  const isDone = rows.length === 0 || (await draws("history", () => drawHistory(rows, range)));
  drawnRange = isDone ? range.search : null;
}

// Show the answer of /api/prices/points; whether its price is valid, only the newest one tells.
export async function showPoints(answer, isValid) {
  if (answer.body && (answer.isNew || !arePointsDrawn)) {
    arePointsDrawn = await draws("points", () => drawPoints(answer.body, isValid));
  } else if (answer.error && !arePointsDrawn) {
    note("points", answer.error instanceof Refused ? answer.error.detail : "The server can't be reached.");
  }
}

async function draws(name, draw) {
  try {
    await draw();
    note(name, "");
    return true;
  } catch (error) {
    note(name, error.message);
    return false;
  }
}

// A note stands in the place of its chart, which then shows something else than was asked for.
function note(name, text) {
  setText(`${name}-note`, text);
  byId(`${name}-chart`).dataset.shown = String(text === "");
}
