// The chart of a range: both prices, the band between them, and their difference in percent below.

import { byId } from "./dom.js";
import { moment, usd } from "./format.js";
import { CONFIG, baseAxis, baseLayout, offerReset, plotly, theme } from "./plotly.js";

const NARROW = 600;

let drawn = null;

// Draw rows of /api/prices/historical; `range` is theirs. Return whether they are what is drawn now:
// not if `isWanted()` became false while Plotly was on its way or at work.
export async function drawHistory(rows, range, isWanted) {
  const element = byId("history-chart");
  const library = await plotly();
  if (!isWanted()) return false;
  const colours = theme();
  await library.react(element, traces(rows, colours), layout(rows, range, colours, element), CONFIG);
  if (!isWanted()) return false;
  element.setAttribute("aria-label", describe(rows, range));
  byId("invalid-key").hidden = rows.every((row) => row.is_valid);
  if (!drawn) offerReset(library, element, byId("history-reset"));
  if (drawn?.key !== range.search) byId("history-reset").hidden = true;
  drawn = { rows, range, key: range.search };
  return true;
}

// Draw the same in the colours of now.
export async function redrawHistory() {
  const before = drawn;
  if (drawn) await drawHistory(drawn.rows, drawn.range, () => drawn === before);
}

function traces(rows, colours) {
  const times = rows.map((row) => row.timestamp);
  const onchain = rows.map((row) => (row.is_valid ? row.utxoracle_price : null));
  const exchange = rows.map((row) => row.mempool_price);
  const percent = rows.map((row) => (row.is_valid ? row.diff_percent : null));
  return [
    {
      name: "Band", ...band(times, onchain, exchange), mode: "lines", fill: "toself",
      fillcolor: colours.band, line: { width: 0 }, hoverinfo: "skip",
    },
    {
      name: "Exchange", x: times, y: exchange, mode: "lines",
      line: { color: colours.exchange, width: 1.5 },
      hovertemplate: "Exchange %{y:$,.0f}<extra></extra>",
    },
    {
      name: "On-chain", x: times, y: onchain, mode: "lines",
      line: { color: colours.onchain, width: 2.25 },
      hovertemplate: "On-chain %{y:$,.0f}<extra></extra>",
    },
    invalidMarks(rows, [...onchain, ...exchange], colours),
    {
      name: "Difference band", ...band(times, percent, rows.map(() => 0)), yaxis: "y2", mode: "lines",
      fill: "toself", fillcolor: colours.band, line: { width: 0 }, hoverinfo: "skip",
    },
    {
      name: "Difference", x: times, y: percent, yaxis: "y2", mode: "lines",
      line: { color: colours.soft, width: 1.25 },
      hovertemplate: "Difference %{y:+.2f} %<extra></extra>",
    },
  ];
}

// Return the area between two lines: one polygon for each stretch in which both are there.
function band(times, upper, lower) {
  const x = [];
  const y = [];
  let stretch = [];
  const close = () => {
    const back = [...stretch].reverse();
    x.push(...stretch.map((i) => times[i]), ...back.map((i) => times[i]), null);
    y.push(...stretch.map((i) => upper[i]), ...back.map((i) => lower[i]), null);
    stretch = [];
  };
  for (let i = 0; i < times.length; i++) {
    if (upper[i] !== null && lower[i] !== null) stretch.push(i);
    else if (stretch.length) close();
  }
  if (stretch.length) close();
  return { x, y };
}

// A wild price is marked at the edge of the good ones, or it would press their lines flat.
function invalidMarks(rows, good, colours) {
  const known = good.filter((price) => price !== null);
  const [low, high] = bounds(known.length ? known : rows.map((row) => row.utxoracle_price ?? 0));
  const marked = rows.filter((row) => !row.is_valid);
  const place = (row) => Math.min(Math.max(row.utxoracle_price ?? row.mempool_price ?? low, low), high);
  return {
    name: "Not valid",
    x: marked.map((row) => row.timestamp),
    y: marked.map(place),
    customdata: marked.map((row) => `${usd(row.utxoracle_price)}, ${row.invalid_reason ?? "no reason stored"}`),
    mode: "markers",
    marker: { symbol: "x-thin", size: 9, line: { color: colours.alert, width: 2 } },
    hovertemplate: "Not valid: %{customdata}<extra></extra>",
  };
}

// Math.min(...) of many rows would overflow the stack.
function bounds(values) {
  return values.reduce(([low, high], value) => [Math.min(low, value), Math.max(high, value)], [Infinity, -Infinity]);
}

function layout(rows, range, colours, element) {
  const axis = baseAxis(colours);
  const isNarrow = element.clientWidth < NARROW;
  return {
    ...baseLayout(colours, range.search),
    hovermode: "x unified",
    hoversubplots: "axis",
    xaxis: {
      ...axis, type: "date", hoverformat: "%-d %b %Y, %H:%M UTC", anchor: "y2", showgrid: false,
      nticks: isNarrow ? 4 : 8, showspikes: true, spikemode: "across", spikethickness: 1,
      spikecolor: colours.edge, spikedash: "solid",
    },
    yaxis: { ...axis, domain: [0.32, 1], tickprefix: "$", tickformat: ",.0f", nticks: 6 },
    yaxis2: {
      ...axis, domain: [0, 0.21], ticksuffix: " %", nticks: 4, zeroline: true, zerolinecolor: colours.edge,
    },
    annotations: [
      {
        text: "Difference: exchange against on-chain", xref: "paper", yref: "paper", x: 0, y: 0.225,
        xanchor: "left", yanchor: "bottom", showarrow: false, font: { size: 12, color: colours.soft },
      },
    ],
  };
}

function describe(rows, range) {
  const valid = rows.filter((row) => row.is_valid && row.utxoracle_price !== null);
  if (valid.length === 0) return `Chart of ${range.title}: it holds no valid price.`;
  const [low, high] = bounds(valid.map((row) => row.utxoracle_price));
  const [first, last] = [valid[0], valid[valid.length - 1]];
  const marked = rows.length - valid.length;
  return (
    `Line chart of the on-chain and the exchange price, ${range.title}. On-chain: first ` +
    `${usd(first.utxoracle_price)} at ${moment(first.timestamp)}, last ${usd(last.utxoracle_price)} at ` +
    `${moment(last.timestamp)}, lowest ${usd(low)}, highest ${usd(high)}.` +
    (marked ? ` ${marked} of ${rows.length} are not valid.` : "")
  );
}
