// How the exchange price compared with the on-chain one in the range that is shown.

import { setText } from "./dom.js";
import { percent, signedPercent, signedUsd, whole } from "./format.js";

export function showComparison(found) {
  const isNone = found.avg_diff === null;
  setText("avg-diff", isNone ? "–" : `${signedUsd(found.avg_diff)} (${signedPercent(found.avg_diff_percent)})`);
  setText("avg-abs", percent(found.avg_abs_diff_percent));
  const extremes = [found.min_diff_percent, found.max_diff_percent].map(signedPercent);
  setText("extremes", isNone ? "–" : extremes.join(" to "));
  setText("correlation", found.correlation === null ? "–" : found.correlation.toFixed(4));
  setText("entries", `${whole(found.valid_entries)} of ${whole(found.total_entries)}`);
}
