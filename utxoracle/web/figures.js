// How the exchange price compared with the on-chain one in the range that is shown.

import { setText } from "./dom.js";
import { NONE, coefficient, percent, signedPercent, signedUsd, whole } from "./format.js";

const FIGURES = ["avg-diff", "avg-abs", "extremes", "correlation", "entries"];

// Show none, while those of another range are on their way.
export function awaitComparison() {
  for (const id of FIGURES) setText(id, NONE);
}

export function showComparison(found) {
  const isNone = found.avg_diff === null;
  setText("avg-diff", isNone ? NONE : `${signedUsd(found.avg_diff)} (${signedPercent(found.avg_diff_percent)})`);
  setText("avg-abs", percent(found.avg_abs_diff_percent));
  const extremes = [found.min_diff_percent, found.max_diff_percent].map(signedPercent);
  setText("extremes", isNone ? NONE : extremes.join(" to "));
  setText("correlation", coefficient(found.correlation));
  setText("entries", `${whole(found.valid_entries)} of ${whole(found.total_entries)}`);
}
