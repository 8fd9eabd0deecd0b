// The newest rows as a table: what the chart says to those who don't see it.

import { byId, make, setText } from "./dom.js";
import { fraction, moment, signedPercent, usd, whole } from "./format.js";

const MOST_ROWS = 100;

export function showRows(rows) {
  const newest = rows.slice(-MOST_ROWS).reverse();
  byId("rows").replaceChildren(...newest.map(tableRow));
  const count = rows.length > MOST_ROWS ? `The newest ${MOST_ROWS} of ${whole(rows.length)} rows` : "The rows";
  setText("rows-caption", `${count} of the range`);
}

function tableRow(row) {
  return make(
    "tr",
    { "data-valid": row.is_valid },
    make("th", { scope: "row" }, moment(row.timestamp).replace(" UTC", "")),
    make("td", {}, whole(row.height)),
    make("td", {}, usd(row.utxoracle_price)),
    make("td", {}, usd(row.mempool_price)),
    make("td", {}, signedPercent(row.diff_percent)),
    make("td", {}, fraction(row.confidence)),
    make("td", {}, stateOf(row)),
  );
}

function stateOf(row) {
  if (!row.is_valid) return row.invalid_reason ? `not valid: ${row.invalid_reason}` : "not valid";
  return row.diverges ? "valid, diverges" : "valid";
}
