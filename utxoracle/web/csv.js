// The download of the range that is shown.

import { download, token } from "./api.js";
import { byId, setText } from "./dom.js";

// A link can't carry a token, so the file is fetched, and handed over as if it were linked.
export async function saveCsv(event) {
  if (!token.get()) return;
  event.preventDefault();
  try {
    const response = await download(byId("csv").getAttribute("href"));
    const name = /filename="([^"]+)"/.exec(response.headers.get("Content-Disposition"))?.[1];
    const link = document.createElement("a");
    link.href = URL.createObjectURL(await response.blob());
    link.download = name ?? "utxoracle.csv";
    link.click();
    URL.revokeObjectURL(link.href);
  } catch (error) {
    setText("csv-note", `This failed: ${error.message}`);
  }
}
