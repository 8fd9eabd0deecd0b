// The scatter of the newest window's price points, with its price as a line.

import { byId, setText } from "./dom.js";
import { clock, usd, whole } from "./format.js";
import { CONFIG, baseAxis, baseLayout, offerReset, plotly, theme } from "./plotly.js";

const NARROW = 600;

let drawn = null;

// Draw the answer of /api/prices/points; `isValid` tells whether its price is. Return whether it is
// what is drawn now: not if `isWanted()` became false while Plotly was on its way or at work.
export async function drawPoints(found, isValid, isWanted) {
  const element = byId("points-chart");
  const library = await plotly();
  if (!isWanted()) return false;
  const colours = theme();
  const isNarrow = element.clientWidth < NARROW;
  await library.react(element, traces(found, colours, isNarrow), layout(found, isValid, colours, isNarrow), CONFIG);
  if (!isWanted()) return false;
  element.setAttribute("aria-label", describe(found));
  const [first, last] = [found.blocks[0], found.blocks[found.blocks.length - 1]];
  setText("points-hint", first ? `blocks ${whole(first.height)} to ${whole(last.height)}` : "");
  if (!drawn) offerReset(library, element, byId("points-reset"));
  if (drawn?.found.height !== found.height) byId("points-reset").hidden = true;
  drawn = { found, isValid };
  return true;
}

// Draw the same in the colours of now.
export async function redrawPoints() {
  const before = drawn;
  if (drawn) await drawPoints(drawn.found, drawn.isValid, () => drawn === before);
}

function traces(found, colours, isNarrow) {
  const price = found.utxoracle_price;
  const dots = {
    name: "Points", x: placesInBlocks(found.heights), y: found.prices, mode: "markers",
    marker: { color: colours.dot, size: isNarrow ? 2.5 : 3.5, line: { width: 0 } }, hoverinfo: "skip",
  };
  if (price === null) return [dots];
  const line = {
    name: "Price", x: ends(found), y: [price, price], mode: "lines", line: { color: colours.ink, width: 1.5 },
    hovertemplate: "Window price %{y:$,.0f}<extra></extra>",
  };
  return [dots, line];
}

function ends(found) {
  const heights = [...found.heights, ...found.blocks.map((block) => block.height)];
  return [Math.min(...heights), Math.max(...heights) + 1];
}

// Points of a block are spread over its width; in one column they would hide each other.
function placesInBlocks(heights) {
  const counts = new Map();
  for (const height of heights) counts.set(height, (counts.get(height) ?? 0) + 1);
  const seen = new Map();
  return heights.map((height) => {
    const nth = seen.get(height) ?? 0;
    seen.set(height, nth + 1);
    return height + (nth + 0.5) / counts.get(height);
  });
}

function layout(found, isValid, colours, isNarrow) {
  const axis = baseAxis(colours);
  const [clipmin, clipmax] = ends(found);
  const label = {
    text: usd(found.utxoracle_price) + (isValid ? "" : ", not valid"), xref: "paper", x: 1, y: found.utxoracle_price, xanchor: "right",
    yanchor: "bottom", showarrow: false, font: { size: 15, color: colours.ink },
    bgcolor: colours.surface, borderpad: 2,
  };
  return {
    ...baseLayout(colours, `${found.height}`),
    hovermode: false,
    xaxis: { ...axis, showgrid: false, autorangeoptions: { clipmin, clipmax }, ...ticks(found.blocks, isNarrow ? 3 : 7) },
    yaxis: { ...axis, tickprefix: "$", tickformat: ",.0f", nticks: 7 },
    annotations: found.utxoracle_price === null ? [] : [label],
  };
}

// Heights say little to people: the time of the block stands below.
function ticks(blocks, count) {
  if (blocks.length === 0) return { tickformat: ",d" };
  const step = Math.max(1, Math.round((blocks.length - 1) / (count - 1)));
  const marked = blocks.filter((_, i) => i % step === 0);
  return {
    tickmode: "array",
    tickvals: marked.map((block) => block.height + 0.5),
    ticktext: marked.map((block) => `${whole(block.height)}<br>${clock(Date.parse(block.timestamp))}`),
  };
}

function describe(found) {
  const count = `${whole(found.heights.length)} price points`;
  const price = found.utxoracle_price === null ? "There is no price." : `The price is ${usd(found.utxoracle_price)}.`;
  return `Scatter of ${count} of the window before block ${whole(found.height)}, by block. ${price}`;
}
