// The download of the range that is shown.

import { download, token } from "./api.js";
import { byId, setText } from "./dom.js";

// A browser may read the file only some time after the click that hands it over.
const HANDED_OVER = 30_000;

export function linkCsv(range) {
  byId("csv").href = `/api/prices/historical?${range.query}&format=csv`;
  setText("csv-note", `of ${range.title}`);
}

// A link can't carry a token, so the file is fetched, and handed over as if it were linked.
export async function saveCsv(event, range) {
  if (!token.get()) return;
  event.preventDefault();
  linkCsv(range);
  const path = byId("csv").getAttribute("href");
  try {
    const response = await download(path);
    const name = /filename="([^"]+)"/.exec(response.headers.get("Content-Disposition"))?.[1];
    const link = document.createElement("a");
    link.href = URL.createObjectURL(await response.blob());
    link.download = name ?? "utxoracle.csv";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), HANDED_OVER);
  } catch (error) {
    const isShown = byId("csv").getAttribute("href") === path;
    if (isShown) setText("csv-note", `This failed: ${error.message}`);
  }
}
