// What must not be overlooked, above everything else: alerts are read out at once, notices in turn.

import { isStale, stallSeconds } from "./cards.js";
import { byId, make } from "./dom.js";
import { clock, duration, moment, percent, usd, whole } from "./format.js";

// Return the banners for what is known, the most serious first.
// `known` holds: entry (the newest price or null), empty (why there is none), health, isLost
// (whether the server can't be reached), heard (when it last was, in milliseconds), refused (why
// it doesn't answer).
export function bannersOf(known) {
  const found = [];
  if (known.isLost) found.push(lost(known));
  if (known.refused) found.push({ level: "alert", title: "The server can't answer", details: [known.refused] });
  if (known.empty) found.push({ level: "alert", title: "Nothing to show", details: [known.empty] });
  if (known.entry) found.push(...aboutEntry(known.entry));
  if (known.health) found.push(...aboutHealth(known.health, known));
  return found;
}

export function showBanners(banners) {
  for (const [id, level] of [["alerts", "alert"], ["notices", "notice"]]) {
    const wanted = banners.filter((banner) => banner.level === level);
    const region = byId(id);
    const lists = [...region.querySelectorAll("ul")];
    const shown = [...region.querySelectorAll("strong")].map((one) => one.textContent);
    // A banner that is put there anew is read out again, so only the minutes in it are changed.
    if (shown.length && shown.join("\n") === wanted.map((banner) => banner.title).join("\n")) {
      wanted.forEach(({ details }, i) => lists[i].replaceChildren(...items(details)));
    } else {
      region.replaceChildren(...wanted.map(draw));
    }
  }
}

function lost({ heard, entry }) {
  const details = ["It doesn't answer; this page keeps asking it."];
  if (entry && heard) details.push(`What is shown here is of ${clock(heard)} and may be out of date.`);
  return { level: "alert", title: "The server can't be reached", details };
}

function* aboutEntry(entry) {
  if (!entry.is_valid) {
    yield {
      level: "alert",
      title: "The newest price is not valid",
      details: [`Block ${whole(entry.height)}: ${entry.invalid_reason ?? "no reason is stored"}.`],
    };
  }
  if (isStale(entry)) {
    yield {
      level: "alert",
      title: `No new block for more than ${duration(stallSeconds)}: this price is old`,
      details: [`The newest block that is stored, ${whole(entry.height)}, is of ${moment(entry.timestamp)}.`],
    };
  }
  if (entry.diverges) {
    const side = entry.diff_amount < 0 ? "below" : "above";
    yield {
      level: "notice",
      title: "The two prices diverge",
      details: [
        `The exchange price, ${usd(entry.mempool_price)}, is ${percent(Math.abs(entry.diff_percent))} ` +
          `${side} the on-chain price.`,
      ],
    };
  }
}

function* aboutHealth(health, { entry, empty }) {
  const checks = health.checks ?? {};
  const told = new Set();
  // These have banners of their own, which say more.
  if (empty) ["snapshot", "chain", "price"].forEach((name) => told.add(checks[name]?.detail));
  if (entry && isStale(entry)) told.add(checks.chain?.detail);
  if (entry && (!entry.is_valid || entry.diverges)) told.add(checks.price?.detail);
  const reasons = (health.reasons ?? []).filter((reason) => !told.has(reason));
  if (reasons.length === 0) return;
  const isBad = health.status === "unhealthy";
  yield {
    level: isBad ? "alert" : "notice",
    title: isBad ? "The service is unhealthy" : "The service works, but not everything is well",
    details: reasons,
  };
}

function draw({ level, title, details }) {
  const list = make("ul", { "aria-live": "off" }, ...items(details));
  return make("div", { class: "banner", "data-level": level }, make("strong", {}, title), list);
}

const items = (details) => details.map((detail) => make("li", {}, sentence(detail)));

// The server's reasons are written to follow a colon.
function sentence(text) {
  const isWhole = /[.!?]$/.test(text);
  return text.charAt(0).toUpperCase() + text.slice(1) + (isWhole ? "" : ".");
}
