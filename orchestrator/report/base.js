"use strict";
/* What every chart uses: the data, their decoding, numbers as people read them, colours of the scheme, drawing. */
const lab = {};

lab.data = JSON.parse(document.getElementById("data").textContent);
lab.trials = new Map(lab.data.trials.map((trial) => [trial.n, trial]));
lab.by = (id) => document.getElementById(id);

/* Run one part of the page; where it fails, say so and go on with the others. */
lab.part = (name, run) => {
  try {
    run();
  } catch (error) {
    console.error(name, error);
    const text = `A part of this page (${name}) could not be drawn: ${error.message}`;
    document.querySelector("main").prepend(lab.element("p", { class: "notice" }, text));
  }
};

lab.bytes = (text) => {
  const raw = atob(text);
  const bytes = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i += 1) bytes[i] = raw.charCodeAt(i);
  return bytes.buffer;
};
lab.floats = (text) => Array.from(new Float32Array(lab.bytes(text)));

/* Undo pack.quantised: 65535 stands for a missing value. */
lab.values = (curve) => {
  const steps = new Uint16Array(lab.bytes(curve.data));
  const scale = (curve.high - curve.low) / 65534;
  return Array.from(steps, (step) => (step === 65535 ? null : curve.low + step * scale));
};

/* Plotly reads markup in labels; names and reasons must stay text. */
lab.safe = (text) => String(text).replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");

lab.element = (tag, attributes = {}, ...children) => {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "class") element.className = value;
    else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
};

lab.number = (value, digits = 4) => {
  if (value === null || value === undefined) return "–";
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (typeof value !== "number") return String(value);
  if (Number.isInteger(value) && Math.abs(value) < 1e6) return String(value);
  return String(Number(value.toPrecision(digits)));
};
lab.quantity = (value, unit) => lab.number(value) + (unit && value !== null && value !== undefined ? "\u00a0" + unit : "");

lab.duration = (seconds) => {
  if (seconds === null || seconds === undefined) return "–";
  if (seconds < 60) return `${Number(seconds.toPrecision(3))} s`;
  const two = (count, per, names) => {
    const whole = Math.floor(count / per), rest = count % per;
    return rest ? `${whole} ${names[0]} ${rest} ${names[1]}` : `${whole} ${names[0]}`;
  };
  if (seconds < 3600) return two(Math.round(seconds), 60, ["min", "s"]);
  if (seconds < 172800) return two(Math.round(seconds / 60), 60, ["h", "min"]);
  return two(Math.round(seconds / 3600), 24, ["d", "h"]);
};

/* The unit in which a span of time is read best. */
lab.timeUnit = (seconds) => {
  if (seconds >= 3 * 86400) return { name: "d", seconds: 86400 };
  if (seconds >= 3 * 3600) return { name: "h", seconds: 3600 };
  if (seconds >= 300) return { name: "min", seconds: 60 };
  return { name: "s", seconds: 1 };
};

lab.axisTitle = (item) => lab.safe(item.unit ? `${item.label} (${item.unit})` : item.label);

/* Ticks of a logarithmic axis at 1, 2 and 5 times powers of ten, written out. */
lab.logTicks = (low, high) => {
  const found = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power += 1) {
    for (const factor of [1, 2, 5]) {
      const value = factor * 10 ** power;
      if (value >= low * 0.999 && value <= high * 1.001) found.push(value);
    }
  }
  return { tickvals: found, ticktext: found.map((value) => (value >= 1e5 || value < 1e-3 ? value.toExponential() : String(Number(value.toPrecision(3))))) };
};

/* What a parameter's axis looks like. */
lab.axisOf = (item) => ({
  title: { text: lab.axisTitle(item) }, type: item.log ? "log" : "linear",
  ...(item.log ? lab.logTicks(item.low, item.high) : {}),
  ...(item.words ? { tickvals: item.words.map((_, k) => k), ticktext: item.words.map((word) => lab.safe(word.length > 16 ? word.slice(0, 15) + "\u2026" : word)), range: [-0.5, item.words.length - 0.5] } : {}),
});

lab.outcomeWords = { measured: "measured", failed: "failed", lost: "lost", open: "still open" };

/* Colours of the scheme in force, from the style sheet. */
lab.theme = () => {
  const style = getComputedStyle(document.documentElement);
  const read = (name) => style.getPropertyValue("--" + name).trim();
  const names = ["paper", "card", "ink", "soft", "line", "grid", "accent", "measured", "failed", "lost", "control", "open", "shade"];
  const theme = Object.fromEntries(names.map((name) => [name, read(name)]));
  theme.isDark = lab.isDark();
  theme.certain = theme.isDark
    ? [[0, "#1f1a2b"], [0.5, "#6d4fa3"], [1, "#e2d4fb"]]
    : [[0, "#f5f1fb"], [0.5, "#9a7cc9"], [1, "#3f1a75"]];
  return theme;
};

lab.isPrinting = false;
lab.isDark = () => {
  if (lab.isPrinting) return false;
  const chosen = document.documentElement.dataset.scheme;
  return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
};

lab.isNarrow = () => !lab.isPrinting && document.documentElement.clientWidth < 700;

lab.layout = (theme, changes = {}) => {
  const axis = {
    gridcolor: theme.grid, linecolor: theme.line, zeroline: false, ticks: "outside", tickcolor: theme.line,
    ticklen: 4, automargin: true, title: { standoff: 8 },
  };
  const layout = {
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", autosize: true, height: 340,
    margin: { l: 56, r: 12, t: 8, b: 44 }, font: { family: "inherit", size: 12.5, color: theme.ink },
    hoverlabel: { bgcolor: theme.ink, bordercolor: theme.ink, font: { color: theme.paper, family: "inherit", size: 12.5 }, align: "left" },
    legend: { orientation: "h", x: 0, xanchor: "left", y: 1.02, yanchor: "bottom", font: { color: theme.soft } },
    dragmode: matchMedia("(pointer: coarse)").matches ? false : "zoom", hovermode: "closest",
  };
  for (const [name, value] of Object.entries(changes)) {
    layout[name] = /^[xy]axis/.test(name) ? { ...axis, ...value } : value;
  }
  if (lab.isPrinting) layout.height = Math.round(0.64 * layout.height);
  return layout;
};

lab.charts = [];
lab.config = { responsive: true, displaylogo: false, displayModeBar: false, doubleClick: "reset" };

/* Register a chart: build(theme) returns {data, layout}, or a sentence that says why there is none. */
lab.chart = (id, build, onDrawn) => {
  const place = lab.by(id);
  if (!place) return () => {};
  const draw = () => {
    const built = build(lab.theme());
    const caption = place.parentElement.querySelector("figcaption");
    if (caption) caption.hidden = typeof built === "string";
    if (typeof built === "string") {
      Plotly.purge(place);
      place.replaceChildren(lab.element("p", { class: "empty" }, built));
      return;
    }
    if (place.querySelector(".empty")) place.replaceChildren();
    Plotly.react(place, built.data, built.layout, lab.config);
    if (onDrawn && !place.dataset.wired) {
      place.dataset.wired = "yes";
      onDrawn(place);
    }
  };
  lab.charts.push(draw);
  draw();
  return draw;
};
lab.redraw = () => lab.charts.forEach((draw) => draw());

/* One trial is the chosen one; whoever shows it listens. */
lab.chosen = null;
lab.listeners = [];
lab.choose = (number, { scroll = false } = {}) => {
  if (!lab.trials.has(number)) return;
  lab.chosen = number;
  lab.listeners.forEach((listener) => listener(number));
  if (scroll) lab.by("trials").scrollIntoView();
};
lab.chooseOnClick = (place) => {
  place.on("plotly_click", (event) => {
    const number = event.points[0] && event.points[0].customdata;
    if (typeof number === "number") lab.choose(number, { scroll: true });
  });
};

/* Buttons of which one is pressed. */
lab.switch = (place, options, pressed, onPress) => {
  if (!place) return;
  const buttons = options.map(([value, text]) => {
    const button = lab.element("button", { type: "button", "aria-pressed": String(value === pressed) }, text);
    button.addEventListener("click", () => {
      buttons.forEach((other) => other.setAttribute("aria-pressed", String(other === button)));
      onPress(value);
    });
    return button;
  });
  place.classList.add("switch");
  place.replaceChildren(...buttons);
};
