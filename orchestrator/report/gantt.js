/* Every step of every device on one time axis, drawn on a canvas: thousands of bars stay quick to zoom. */
lab.part("gantt", () => {
  const { timeline, trials, mode } = lab.data;
  const place = lab.by("gantt");
  if (!place || !timeline.devices.length || !(timeline.end_s > 0)) return;

  const devices = timeline.devices.map((device) => ({
    ...device,
    start: new Uint32Array(lab.bytes(device.start)), length: new Uint32Array(lab.bytes(device.length)), trial: new Uint32Array(lab.bytes(device.trial)),
    kind: new Uint16Array(lab.bytes(device.kind)), state: new Uint8Array(lab.bytes(device.state)), count: new Uint16Array(lab.bytes(device.count)), lane: new Uint8Array(lab.bytes(device.lane)),
  }));
  const tick = timeline.tick_s;
  const whole = [0, timeline.end_s];
  let view = [...whole];
  let drag = null;
  const canvas = place.querySelector("canvas");
  const tip = place.querySelector(".tip");
  const layout = { left: 0, top: 30, gap: 12 };

  const hues = ["#2f7f86", "#d08a2e", "#6c8ebf", "#a0598f", "#7f9c3b", "#b8604d", "#5d6d9e", "#8c7a4f", "#3f9a6b", "#9b6fc4"];
  const dimmed = ["#57b3b9", "#e0a95c", "#93b1de", "#c98bbb", "#a6c362", "#de8f7c", "#8d9dce", "#bba877", "#6cc396", "#bf9be3"];
  const colors = () => (lab.isDark() ? dimmed : hues);
  const colorOf = (kind) => (timeline.kinds[kind] === "planner.ask" ? lab.theme().control : colors()[kind % hues.length]);
  const stateColor = (state, theme) => ({ failed: theme.failed, rejected: theme.failed, ambiguous: theme.lost, intended: theme.open })[timeline.states[state]];

  /* Trials one after another get a band each; where they overlap, the batch does. */
  const bands = (() => {
    const spans = trials.filter((trial) => trial.t[1] !== null).map((trial) => ({ start: trial.t[1], end: trial.t[2] ?? timeline.end_s, name: String(trial.n), trial: trial.n, batch: trial.a }));
    spans.sort((a, b) => a.start - b.start);
    const overlaps = spans.filter((span, i) => i && span.start < spans[i - 1].end - 1e-6).length;
    if (overlaps <= 0.2 * spans.length) return spans;
    const batches = new Map();
    for (const span of spans) {
      const batch = batches.get(span.batch);
      if (!batch) batches.set(span.batch, { ...span, name: `batch ${span.batch + 1}` });
      else { batch.start = Math.min(batch.start, span.start); batch.end = Math.max(batch.end, span.end); }
    }
    return [...batches.values()];
  })();

  const rowHeight = (device) => Math.max(26, Math.min(84, device.lanes * 5));
  const rows = () => {
    let y = layout.top;
    return devices.map((device) => {
      const row = { device, y, height: rowHeight(device) };
      y += row.height + layout.gap;
      return row;
    });
  };
  const height = () => rows().reduce((sum, row) => sum + row.height + layout.gap, layout.top) + 26;
  const width = () => place.clientWidth;
  const toX = (seconds) => layout.left + ((seconds - view[0]) / (view[1] - view[0])) * (width() - layout.left - 4);
  const toSeconds = (x) => view[0] + ((x - layout.left) / (width() - layout.left - 4)) * (view[1] - view[0]);

  const drawBands = (context, theme, bottom) => {
    context.textAlign = "center";
    context.font = `11px ${getComputedStyle(document.body).fontFamily}`;
    let labelled = -Infinity;
    bands.forEach((band, i) => {
      const left = Math.max(layout.left, toX(band.start)), right = Math.min(width() - 4, toX(band.end));
      if (right <= layout.left || left >= width()) return;
      if (band.trial === lab.chosen || (band.name.startsWith("batch") && lab.trials.get(lab.chosen)?.a === band.batch)) {
        context.fillStyle = theme.isDark ? "rgba(255,79,129,.2)" : "rgba(255,79,129,.14)";
        context.fillRect(left, layout.top - 18, Math.max(1, right - left), bottom - layout.top + 18);
      } else if (i % 2 === 0) {
        context.fillStyle = theme.shade;
        context.fillRect(left, layout.top - 18, right - left, bottom - layout.top + 18);
      }
      const middle = (left + right) / 2, needed = context.measureText(band.name).width + 8;
      if (middle - needed / 2 > labelled && (right - left > 4 || bands.length < 60)) {
        context.fillStyle = theme.soft;
        context.fillText(band.name, middle, layout.top - 6);
        labelled = middle + needed / 2 + 4;
      }
    });
  };

  /* Bars narrower than a pixel are added up per pixel, so that what is dense looks dense and gaps stay gaps. */
  const drawRow = (context, theme, row, ratio) => {
    const { device, y, height: full } = row;
    const lanes = device.lanes, laneHeight = full / lanes;
    const columns = Math.ceil(width() * ratio);
    const busy = new Float32Array(columns), main = new Int16Array(columns).fill(-1), bad = new Int8Array(columns).fill(-1);
    const perColumn = (view[1] - view[0]) / ((width() - layout.left - 4) * ratio);
    context.strokeStyle = theme.line;
    context.strokeRect(layout.left + 0.5, y + 0.5, width() - layout.left - 5, full - 1);
    for (let i = 0; i < device.n; i += 1) {
      const start = device.start[i] * tick, end = start + device.length[i] * tick;
      if (end < view[0] || start > view[1]) continue;
      const left = Math.max(toX(start), layout.left), right = Math.min(toX(end), width() - 4);
      const wrong = stateColor(device.state[i], theme);
      if (right - left >= 1.5 / ratio) {
        context.fillStyle = wrong || colorOf(device.kind[i]);
        const gap = right - left > 4 ? 0.6 : 0;
        context.fillRect(left, y + device.lane[i] * laneHeight + (lanes > 1 ? 0.4 : 1), right - left - gap, laneHeight - (lanes > 1 ? 0.8 : 2));
      } else {
        const column = Math.min(columns - 1, Math.max(0, Math.floor(left * ratio)));
        busy[column] += Math.max(end - start, perColumn * 0.05);
        main[column] = device.kind[i];
        if (wrong) bad[column] = device.state[i];
      }
    }
    for (let column = 0; column < columns; column += 1) {
      if (!busy[column]) continue;
      context.globalAlpha = 0.25 + 0.75 * Math.min(1, busy[column] / (perColumn * lanes));
      context.fillStyle = bad[column] >= 0 ? stateColor(bad[column], theme) : colorOf(main[column]);
      context.fillRect(column / ratio, y + 1, 1 / ratio, full - 2);
    }
    context.globalAlpha = 1;
  };

  const ticks = () => {
    const unit = lab.timeUnit(view[1] - view[0] < 300 ? view[1] - view[0] : Math.max(view[1] - view[0], view[1] / 20));
    const rough = (view[1] - view[0]) / unit.seconds / (lab.isNarrow() ? 4 : 8);
    const power = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 5, 10].map((factor) => factor * power).find((value) => value >= rough) * unit.seconds;
    const found = [];
    for (let at = Math.ceil(view[0] / step) * step; at <= view[1] + 1e-9; at += step) found.push(at);
    return { found, unit };
  };

  const drawAxis = (context, theme, bottom) => {
    const { found, unit } = ticks();
    context.strokeStyle = theme.grid;
    context.fillStyle = theme.soft;
    context.textAlign = "center";
    for (const at of found) {
      const x = Math.round(toX(at)) + 0.5;
      context.beginPath();
      context.moveTo(x, layout.top - 2);
      context.lineTo(x, bottom);
      context.stroke();
      const text = `${Number((at / unit.seconds).toPrecision(6))} ${unit.name}`;
      const half = context.measureText(text).width / 2;
      context.fillText(text, Math.min(width() - half - 2, Math.max(layout.left + half, x)), bottom + 16);
    }
  };

  const drawNames = (context, theme) => {
    context.textAlign = "left";
    for (const { device, y, height: full } of rows()) {
      context.fillStyle = theme.ink;
      context.font = `600 12.5px ${getComputedStyle(document.body).fontFamily}`;
      context.fillText(device.name, 0, y + full / 2 - 1, layout.left - 8);
      context.fillStyle = theme.soft;
      context.font = `11px ${getComputedStyle(document.body).fontFamily}`;
      context.fillText(`${Number((100 * device.busy).toPrecision(2))}% busy`, 0, y + full / 2 + 13, layout.left - 8);
    }
  };

  const draw = () => {
    const ratio = Math.min(3, window.devicePixelRatio || 1);
    layout.left = lab.isNarrow() ? 78 : 118;
    const w = width(), h = height();
    canvas.width = Math.round(w * ratio);
    canvas.height = Math.round(h * ratio);
    canvas.style.height = `${h}px`;
    const context = canvas.getContext("2d");
    const theme = lab.theme();
    context.scale(ratio, ratio);
    context.clearRect(0, 0, w, h);
    const bottom = h - 26;
    drawBands(context, theme, bottom);
    drawAxis(context, theme, bottom);
    rows().forEach((row) => drawRow(context, theme, row, ratio));
    drawNames(context, theme);
    if (drag && drag.moved) {
      context.fillStyle = theme.isDark ? "rgba(255,255,255,.15)" : "rgba(0,0,0,.12)";
      context.fillRect(Math.min(drag.from, drag.to), layout.top, Math.abs(drag.to - drag.from), bottom - layout.top);
    }
    drawLegend(theme);
  };

  const drawLegend = (theme) => {
    const used = new Set();
    devices.forEach((device) => device.state.forEach((state) => used.add(timeline.states[state])));
    const item = (color, text) => {
      const swatch = lab.element("i");
      swatch.style.background = color;
      return lab.element("span", {}, swatch, text);
    };
    const wrong = [["failed", theme.failed, "failed or rejected"], ["rejected", theme.failed, "failed or rejected"], ["ambiguous", theme.lost, "outcome unknown"], ["intended", theme.open, "not over"]];
    const extra = [...new Map(wrong.filter(([state]) => used.has(state)).map(([, color, text]) => [text, color])).entries()];
    lab.by("gantt-legend").replaceChildren(
      ...timeline.kinds.map((name, kind) => item(colorOf(kind), name.replace(".", ": "))), ...extra.map(([text, color]) => item(color, text)),
    );
  };

  const zoomTo = (from, to) => {
    const least = Math.max(1, timeline.end_s / 50000);
    const span = Math.min(whole[1], Math.max(least, to - from));
    const start = Math.min(Math.max(0, (from + to) / 2 - span / 2), whole[1] - span);
    view = [start, start + span];
    draw();
  };
  const zoomBy = (factor, at = (view[0] + view[1]) / 2) => zoomTo(at - (at - view[0]) * factor, at + (view[1] - at) * factor);
  const shift = (share) => zoomTo(view[0] + share * (view[1] - view[0]), view[1] + share * (view[1] - view[0]));

  const under = (x, y) => {
    const row = rows().find((one) => y >= one.y && y < one.y + one.height);
    if (!row) return null;
    const { device } = row;
    const lane = Math.floor((y - row.y) / (row.height / device.lanes));
    const reach = ((view[1] - view[0]) / width()) * 1.5;
    const at = toSeconds(x);
    let found = null;
    for (let i = 0; i < device.n; i += 1) {
      const start = device.start[i] * tick, end = start + device.length[i] * tick;
      if (device.lane[i] === lane && at >= start - reach && at <= end + reach) found = { device, i, start, end };
    }
    return found;
  };
  const place_ = (event) => {
    const box = canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };
  const showTip = (event) => {
    const [x, y] = place_(event);
    const found = under(x, y);
    tip.hidden = !found;
    if (!found) return;
    const { device, i, start, end } = found;
    const count = device.count[i] > 1 ? ` (${device.count[i]} steps)` : "";
    const state = timeline.states[device.state[i]];
    const lines = [timeline.kinds[device.kind[i]].replace(".", ": ") + count, device.trial[i] ? `trial ${device.trial[i]}` : null, `at ${lab.duration(start)}, for ${lab.duration(end - start)}`, state === "done" ? null : state];
    tip.replaceChildren(...lines.filter(Boolean).map((line) => lab.element("div", {}, line)));
    tip.style.left = `${Math.min(x + 12, Math.max(0, width() - 190))}px`;
    tip.style.top = `${y + 14}px`;
  };

  canvas.addEventListener("pointerdown", (event) => {
    if (event.pointerType === "touch") return;
    const [x] = place_(event);
    drag = { from: x, to: x, moved: false };
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!drag) return showTip(event);
    drag.to = place_(event)[0];
    drag.moved = drag.moved || Math.abs(drag.to - drag.from) > 5;
    return drag.moved ? draw() : null;
  });
  canvas.addEventListener("pointerup", (event) => {
    const done = drag;
    drag = null;
    if (done && done.moved) return zoomTo(...[toSeconds(done.from), toSeconds(done.to)].sort((a, b) => a - b));
    const found = under(...place_(event));
    if (found && found.device.trial[found.i]) lab.choose(found.device.trial[found.i]);
    return null;
  });
  canvas.addEventListener("pointerleave", () => { tip.hidden = true; });
  canvas.addEventListener("dblclick", () => zoomTo(...whole));
  canvas.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    zoomBy(event.deltaY > 0 ? 1.25 : 0.8, toSeconds(place_(event)[0]));
  }, { passive: false });
  canvas.addEventListener("keydown", (event) => {
    const acts = { ArrowLeft: () => shift(-0.2), ArrowRight: () => shift(0.2), "+": () => zoomBy(0.6), "-": () => zoomBy(1.7), "0": () => zoomTo(...whole) };
    if (acts[event.key]) { event.preventDefault(); acts[event.key](); }
  });
  const wire = (id, act) => lab.by(id).addEventListener("click", act);
  wire("gantt-in", () => zoomBy(0.5));
  wire("gantt-out", () => zoomBy(2));
  wire("gantt-left", () => shift(-0.4));
  wire("gantt-right", () => shift(0.4));
  wire("gantt-all", () => zoomTo(...whole));
  wire("gantt-trial", () => {
    const trial = lab.trials.get(lab.chosen);
    if (!trial || trial.t[1] === null) return;
    const end = trial.t[2] ?? timeline.end_s, slack = 0.1 * (end - trial.t[1]) + 1;
    zoomTo(trial.t[1] - slack, end + slack);
  });

  lab.charts.push(draw);
  lab.listeners.push(draw);
  new ResizeObserver(draw).observe(place);
  lab.by("gantt-clock").textContent = mode === "virtual" ? "virtual time" : "wall time";
  draw();
});
