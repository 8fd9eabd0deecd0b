// How numbers and times are written, everywhere on the page.

export const NONE = "–";
const MINUS = "\u2212";
const DAY = 86_400;

const usdFormat = new Intl.NumberFormat("en-US", {
  style: "currency", currency: "USD", maximumFractionDigits: 0,
});
const signedUsdFormat = new Intl.NumberFormat("en-US", {
  style: "currency", currency: "USD", maximumFractionDigits: 0, signDisplay: "exceptZero",
});
const wholeFormat = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });
const percentFormat = new Intl.NumberFormat("en-US", {
  minimumFractionDigits: 2, maximumFractionDigits: 2,
});
const signedPercentFormat = new Intl.NumberFormat("en-US", {
  minimumFractionDigits: 2, maximumFractionDigits: 2, signDisplay: "exceptZero",
});
const coefficientFormat = new Intl.NumberFormat("en-US", {
  minimumFractionDigits: 4, maximumFractionDigits: 4,
});
const timeFormat = new Intl.DateTimeFormat("en-GB", {
  day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit", timeZone: "UTC",
});
const clockFormat = new Intl.DateTimeFormat("en-GB", {
  hour: "2-digit", minute: "2-digit", timeZone: "UTC",
});

const orNone = (value, write) => (value === null || value === undefined ? NONE : write(value));
const withMinus = (text) => text.replace("-", MINUS);

export const usd = (value) => orNone(value, (found) => usdFormat.format(found));
export const signedUsd = (value) => orNone(value, (found) => withMinus(signedUsdFormat.format(found)));
export const whole = (value) => orNone(value, (found) => wholeFormat.format(found));
export const fraction = (value) => orNone(value, (found) => withMinus(percentFormat.format(found)));
export const coefficient = (value) =>
  orNone(value, (found) => withMinus(coefficientFormat.format(found)));
export const percent = (value) => orNone(value, (found) => `${percentFormat.format(found)}\u00a0%`);
export const signedPercent = (value) =>
  orNone(value, (found) => `${withMinus(signedPercentFormat.format(found))}\u00a0%`);

export const moment = (timestamp) => orNone(timestamp, (found) => `${timeFormat.format(new Date(found))} UTC`);
export const clock = (milliseconds) => `${clockFormat.format(new Date(milliseconds))} UTC`;

// A span of time in its two greatest units, which is as much as anybody wants to know of an age.
export function duration(seconds) {
  const minutes = Math.max(0, Math.floor(seconds / 60));
  const hours = Math.floor(minutes / 60);
  if (seconds < 2 * DAY) return withRest(hours, "h", minutes % 60, "min");
  return withRest(Math.floor(hours / 24), "days", hours % 24, "h");
}

function withRest(count, unit, rest, smallerUnit) {
  if (count === 0) return `${rest} ${smallerUnit}`;
  return rest ? `${count} ${unit} ${rest} ${smallerUnit}` : `${count} ${unit}`;
}
