// Plotly under the page's policy and in the page's colours.

const SOURCE = new URL("vendor/plotly.min.js", import.meta.url);

let loading = null;

// Return the library; it is fetched when the first chart is drawn, since the prices come first.
// Throws an Error when it can't be had; the next call tries again.
export function plotly() {
  loading ??= load().catch((error) => {
    loading = null;
    throw error;
  });
  return loading;
}

async function load() {
  // Plotly carries a library for maps that puts its style sheet into any page it is loaded on. Our
  // policy refuses that, which is an error in the console; there are no maps here.
  const createElement = document.createElement;
  document.createElement = (name, ...others) =>
    createElement.call(document, name === "style" ? "template" : name, ...others);
  try {
    await new Promise((resolve, reject) => {
      const script = createElement.call(document, "script");
      script.src = SOURCE;
      script.onload = resolve;
      script.onerror = () => reject(new Error("The charts can't be drawn: plotly.min.js can't be had."));
      document.head.append(script);
    });
  } finally {
    delete document.createElement;
  }
  return globalThis.Plotly;
}

// Return the page's colours and font, as they are now.
export function theme() {
  const style = getComputedStyle(document.documentElement);
  const names = ["paper", "surface", "ink", "soft", "rule", "edge", "onchain", "exchange", "band", "dot"];
  const colours = Object.fromEntries(names.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
  const isDark = matchMedia("(prefers-color-scheme: dark)").matches;
  const alert = isDark ? "#ff8a80" : style.getPropertyValue("--alert").trim();
  return { ...colours, alert, font: style.fontFamily };
}

// Call `redraw` whenever the colours have become others.
export function onThemeChange(redraw) {
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
}

// Return what the layouts of all charts share.
export function baseLayout(colours, key) {
  const isTouch = matchMedia("(pointer: coarse)").matches;
  return {
    autosize: true,
    // A zoom stays as long as the key does, whatever new rows come.
    uirevision: key,
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: colours.font, size: 13, color: colours.soft },
    hoverlabel: {
      bgcolor: colours.surface,
      bordercolor: colours.edge,
      font: { family: colours.font, size: 13, color: colours.ink },
      align: "left",
    },
    showlegend: false,
    // A finger that moves over a chart scrolls the page.
    dragmode: isTouch ? false : "zoom",
    margin: { l: 4, r: 4, t: 12, b: 8, pad: 4 },
  };
}

export function baseAxis(colours) {
  return {
    automargin: true,
    gridcolor: colours.rule,
    linecolor: colours.rule,
    zeroline: false,
    tickcolor: colours.rule,
  };
}

export const CONFIG = { displayModeBar: false, responsive: true, showTips: false, doubleClick: "autosize" };

// Show a button that undoes the zoom of a chart, as long as there is one.
export function offerReset(library, element, button) {
  const axes = () => Object.keys(element.layout).filter((name) => /^[xy]axis\d*$/.test(name));
  element.on("plotly_relayout", () => {
    button.hidden = axes().every((name) => element.layout[name].autorange !== false);
  });
  button.addEventListener("click", () => {
    library.relayout(element, Object.fromEntries(axes().map((name) => [`${name}.autorange`, true])));
  });
}
