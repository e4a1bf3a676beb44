"use strict";
/* What all parts of the page use: decoding, angles in other units, numbers, colours of the scheme, small elements. */
const xrd = {};

xrd.by = (id) => document.getElementById(id);

/* Run one part of the page; where it fails, say so and go on with the others. */
xrd.part = (name, run) => {
  try {
    run();
  } catch (error) {
    console.error(name, error);
    const text = `A part of this page (${name}) could not be drawn: ${error.message}`;
    document.querySelector("main").prepend(xrd.element("p", { class: "notice" }, text));
  }
};

xrd.bytes = (text) => {
  const raw = atob(text);
  const bytes = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i += 1) bytes[i] = raw.charCodeAt(i);
  return bytes.buffer;
};

/* Undo the packing: steps of the signed square root; 65535 stands for a missing value. */
xrd.values = (curve) => {
  const steps = new Uint16Array(xrd.bytes(curve.data));
  const scale = (curve.high - curve.low) / 65534;
  return Array.from(steps, (step) => {
    if (step === 65535) return null;
    const root = curve.low + step * scale;
    return root * Math.abs(root);
  });
};

xrd.pattern = (number) => {
  const raw = JSON.parse(xrd.by(`data-${number}`).textContent);
  const theta = Array.from(new Float32Array(xrd.bytes(raw.theta)));
  const [observed, sigma, calculated, background] = ["observed", "sigma", "calculated", "background"].map((name) => xrd.values(raw[name]));
  const phases = raw.phases.map((phase) => ({ ...phase, curve: xrd.values(phase.curve) }));
  const difference = observed.map((value, i) => (value === null || calculated[i] === null ? null : value - calculated[i]));
  const inSigma = difference.map((value, i) => (value === null || !sigma[i] ? null : value / sigma[i]));
  return { ...raw, theta, observed, sigma, calculated, background, phases, difference, inSigma };
};

/* Angles as a crystallographer may want them: {title, from 2theta, back, whether the axis runs backwards and by its logarithm}. */
xrd.axes = (wavelength) => {
  const sine = (theta) => Math.sin((Math.min(Math.max(theta, 1e-3), 179.99) * Math.PI) / 360);
  const back = (ratio) => (360 / Math.PI) * Math.asin(Math.min(Math.max(ratio, 0), 1));
  return {
    "2θ": { title: "2θ (°)", of: (theta) => theta, to: (x) => x },
    q: { title: "q (Å⁻¹)", of: (theta) => (4 * Math.PI * sine(theta)) / wavelength, to: (q) => back((q * wavelength) / (4 * Math.PI)) },
    d: { title: "d (Å)", of: (theta) => wavelength / (2 * sine(theta)), to: (d) => back(wavelength / (2 * d)), isLog: true },
  };
};

/* Plotly reads markup in labels; names must stay text. */
xrd.safe = (text) => String(text).replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");

xrd.element = (tag, attributes = {}, ...children) => {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "class") element.className = value;
    else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
};

xrd.number = (value, digits = 4) => {
  if (value === null || value === undefined) return "–";
  const text = Math.abs(value) >= 10 ** digits ? value.toFixed(0) : String(Number(value.toPrecision(digits)));
  return text.replace("-", "−");
};

/* Buttons of which one is pressed. */
xrd.switch = (label, names, pressed, onPress) => {
  const buttons = names.map((name) => xrd.element("button", { type: "button", "aria-pressed": String(name === pressed) }, name));
  buttons.forEach((button, k) => button.addEventListener("click", () => {
    buttons.forEach((other) => other.setAttribute("aria-pressed", String(other === button)));
    onPress(names[k]);
  }));
  return xrd.element("span", { class: "switch", role: "group", "aria-label": label }, ...buttons);
};

/* A button that stays pressed. */
xrd.chip = (name, mark, onToggle) => {
  const button = xrd.element("button", { type: "button", "aria-pressed": "true", title: name }, xrd.element("i", { class: `swatch ${mark}` }), name);
  button.addEventListener("click", () => {
    const isOn = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", String(isOn));
    onToggle(isOn);
  });
  return button;
};

xrd.isPrinting = false;
xrd.isDark = () => {
  if (xrd.isPrinting) return false;
  const chosen = document.documentElement.dataset.scheme;
  return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
};
xrd.isNarrow = () => !xrd.isPrinting && document.documentElement.clientWidth < 700;

/* Colours of the scheme in force, from the style sheet. */
xrd.theme = () => {
  const style = getComputedStyle(document.documentElement);
  const read = (name) => style.getPropertyValue("--" + name).trim();
  const names = ["paper", "card", "ink", "soft", "line", "grid", "accent", "odd", "calculated", "background", "shade"];
  return { ...Object.fromEntries(names.map((name) => [name, read(name)])), phases: [0, 1, 2, 3, 4, 5, 6, 7].map((k) => read(`c${k}`)) };
};
