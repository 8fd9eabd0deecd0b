// The range that is shown: it is told by the page's own URL, so that it can be kept and shared.

const DEFAULT_DAYS = "7";
const ALL = "all";
const ALL_DAYS = 36_500;
// The server knows no moments outside these.
const FIRST_DAY = "1970-01-01";
const LAST_DAY = "2106-01-01";
const DAY = /^\d{4}-\d\d-\d\d$/;

export class Range {
  constructor({ days = null, from = null, to = null }) {
    this.days = days;
    this.from = from;
    this.to = to;
  }

  // Read `?days=7`, `?days=all` or `?from=…&to=…`; what can't be read is the default range.
  static fromSearch(search) {
    const given = new URLSearchParams(search);
    const [from, to, days] = ["from", "to", "days"].map((name) => given.get(name));
    if (isDay(from) && isDay(to) && from <= to) return new Range({ from, to });
    if (days === ALL || (/^\d{1,5}$/.test(days) && days >= 1 && days <= ALL_DAYS)) {
      return new Range({ days });
    }
    return new Range({ days: DEFAULT_DAYS });
  }

  get isCustom() {
    return this.days === null;
  }

  get search() {
    return this.isCustom ? `?from=${this.from}&to=${this.to}` : `?days=${this.days}`;
  }

  // People mean both days; the API takes the moment at which the last one is over.
  get query() {
    if (this.isCustom) return `from=${this.from}&to=${dayAfter(this.to)}`;
    return `days=${this.days === ALL ? ALL_DAYS : this.days}`;
  }

  get title() {
    if (this.isCustom) return `${this.from} to ${this.to}`;
    if (this.days === ALL) return "everything stored";
    return this.days === "1" ? "the last day" : `the last ${this.days} days`;
  }
}

// Browsers read 30 February as 2 March.
function isDay(text) {
  if (!DAY.test(text ?? "") || text < FIRST_DAY || text > LAST_DAY) return false;
  const time = new Date(text);
  return !Number.isNaN(time.getTime()) && time.toISOString().startsWith(text);
}

function dayAfter(day) {
  const next = new Date(`${day}T00:00:00Z`);
  next.setUTCDate(next.getUTCDate() + 1);
  return next.toISOString().slice(0, 10);
}
