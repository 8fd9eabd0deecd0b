// The newest price and what stands beside it. No price that isn't valid looks as if it were.

import { serverNow } from "./api.js";
import { NONE, duration, fraction, moment, signedPercent, signedUsd, usd, whole } from "./format.js";
import { byId, setText } from "./dom.js";

const WINDOW = 144;

export const stallSeconds = 60 * Number(document.body.dataset.stallMinutes);

const ageOf = (entry) => (serverNow() - Date.parse(entry.timestamp)) / 1000;

export const isStale = (entry) => ageOf(entry) > stallSeconds;

// The worst that is true of it.
function stateOf(entry) {
  if (!entry.is_valid) return "invalid";
  return isStale(entry) ? "stale" : "ok";
}

export function showEntry(entry) {
  setText("price", entry.utxoracle_price === null ? "no price" : usd(entry.utxoracle_price));
  setText("label", entry.label ?? "");
  setText("time", moment(entry.timestamp));
  byId("time").dateTime = entry.timestamp;
  showExchange(entry);
  setText("confidence", fraction(entry.confidence));
  byId("confidence-meter").hidden = entry.confidence === null;
  byId("confidence-meter").style.setProperty("--share", entry.confidence ?? 0);
  setText("height", whole(entry.height));
  setText("height-note", `from ${whole(entry.height - WINDOW)} to ${whole(entry.height - 1)}`);
  document.title = entry.is_valid ? `${usd(entry.utxoracle_price)} · utxoracle` : "not valid · utxoracle";
  showAge(entry);
}

// What changes by itself as time goes on.
export function showAge(entry) {
  byId("age-card").hidden = false;
  setText("age", duration(ageOf(entry)));
  setText("age-note", `stale after ${duration(stallSeconds)}`);
  document.body.dataset.state = stateOf(entry);
}

export function showEmpty() {
  document.body.dataset.state = "empty";
  document.title = "no price yet · utxoracle";
  setText("price", "No price yet");
}

function showExchange(entry) {
  setText("exchange", usd(entry.mempool_price));
  setText("exchange-note", entry.mempool_price === null ? entry.mempool_reason ?? "" : "at the time of the block");
  if (entry.diff_amount === null) {
    setText("difference", NONE);
    setText("difference-note", "nothing to compare");
    return;
  }
  setText("difference", signedPercent(entry.diff_percent));
  const side = entry.diff_amount < 0 ? "below" : "above";
  setText("difference-note", `${signedUsd(entry.diff_amount)}, exchange is ${side}`);
}
