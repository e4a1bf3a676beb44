/* One trial at a time: its parameters, why it was tried, every spectrum, the analysis, what went wrong. */
lab.part("trials", () => {
  const { trials, parameters, objectives, objective, spectra, observations, details, steps } = lab.data;
  if (!trials.length || !lab.by("trial-facts")) return;
  const grids = spectra.grids.map(lab.floats);
  const [xName, yName] = spectra.axis;
  let view = "map";
  let role = null;

  const words = (name) => {
    const units = { nm: "nm", mm: "mm", um: "µm", c: "°C", deg: "°", s: "s", us: "µs" };
    const parts = name.split("_");
    const unit = parts.length > 1 ? units[parts[parts.length - 1]] : undefined;
    return unit ? `${parts.slice(0, -1).join(" ")} (${unit})` : parts.join(" ");
  };
  const row = (name, value) => [lab.element("dt", {}, name), lab.element("dd", {}, value)];

  /* choosing */
  const strip = lab.by("trial-strip");
  if (trials.length > 200) strip.classList.add("many");
  const marks = new Map(trials.map((trial) => {
    const title = `trial ${trial.n}${trial.c ? " (control)" : ""}: ${lab.outcomeWords[trial.o]}`;
    const button = lab.element("button", { type: "button", tabindex: "-1", title, class: `${trial.o}${trial.c ? " control" : ""}`, onclick: () => lab.choose(trial.n) });
    button.setAttribute("aria-label", title);
    return [trial.n, button];
  }));
  strip.replaceChildren(...marks.values());
  const select = lab.by("trial-select");
  const option = (trial) => {
    const value = trial.v[objective.name];
    const said = trial.o === "measured" && typeof value === "number" ? lab.quantity(value, objective.unit) : lab.outcomeWords[trial.o];
    return lab.element("option", { value: trial.n }, `Trial ${trial.n}${trial.c ? " (control)" : ""} · ${said}`);
  };
  select.replaceChildren(...trials.map(option));
  select.addEventListener("change", () => lab.choose(Number(select.value)));
  const move = (by) => {
    const next = trials[trials.findIndex((trial) => trial.n === lab.chosen) + by];
    if (next) lab.choose(next.n);
  };
  lab.by("trial-before").addEventListener("click", () => move(-1));
  lab.by("trial-after").addEventListener("click", () => move(1));
  document.addEventListener("click", (event) => {
    const link = event.target.closest("[data-trial]");
    if (link) lab.choose(Number(link.dataset.trial), { scroll: true });
  });

  /* facts */
  const facts = (trial) => {
    const list = lab.element("dl", { class: "rows" });
    list.append(...row("outcome", lab.element("span", { class: `outcome ${trial.o}` }, lab.outcomeWords[trial.o] + (trial.c ? ", control" : ""))));
    parameters.forEach((item, i) => list.append(...row(item.label, lab.quantity(trial.p[i], item.unit))));
    for (const [name, value] of Object.entries(trial.v)) {
      const known = objectives.find((item) => item.name === name);
      list.append(...row(lab.element("b", {}, known ? known.label : words(name)), lab.element("b", {}, lab.quantity(value, known ? known.unit : ""))));
    }
    return list;
  };
  const origin = (trial) => {
    const list = lab.element("dl", { class: "rows" });
    for (const [name, [mean, sd]] of Object.entries(trial.e)) {
      const known = objectives.find((item) => item.name === name);
      list.append(...row(`predicted ${known ? known.label : name}`, `${lab.number(mean, 3)} ± ${lab.quantity(sd === null ? null : Number(sd.toPrecision(2)), known ? known.unit : "")}`));
    }
    list.append(...row("ask", String(trial.a + 1)));
    if (trial.s) list.append(...row("sample", trial.s));
    list.append(...row("started", trial.t[1] === null ? "not yet" : `after ${lab.duration(trial.t[1])}`));
    if (trial.t[1] !== null && trial.t[2] !== null) list.append(...row("took", lab.duration(trial.t[2] - trial.t[1])));
    for (const [name, value] of Object.entries(details[trial.n] || {})) {
      if (["number", "string", "boolean"].includes(typeof value)) list.append(...row(words(name), lab.number(value)));
    }
    return list;
  };
  const showFacts = (trial) => {
    const reason = trial.r || (trial.c ? "A control: a fixed point that is measured in every batch." : "The planner gave no reason.");
    const parts = [facts(trial)];
    if (trial.why) parts.push(lab.element("p", { class: "reason" }, trial.why));
    parts.push(lab.element("h3", {}, "Why it was tried"), lab.element("p", { class: "reason" }, reason), origin(trial));
    lab.by("trial-facts").replaceChildren(...parts);
  };

  const showSteps = (trial) => {
    const odd = steps[trial.n] || [];
    const place = lab.by("trial-steps");
    if (!odd.length) return place.replaceChildren();
    const head = ["device", "command", "what", "state", "sent", "settled by", "error"];
    const cells = (tag, row_) => lab.element("tr", {}, ...row_.map((cell) => lab.element(tag, {}, String(cell))));
    return place.replaceChildren(
      lab.element("h3", {}, "Steps that did not simply succeed"),
      lab.element("div", { class: "scroll" }, lab.element("table", {}, lab.element("thead", {}, cells("th", head)), lab.element("tbody", {}, ...odd.map((one) => cells("td", one))))),
    );
  };

  /* spectra */
  const curvesOf = (number) => spectra.curves[number] || [];
  const rolesOf = (number) => [...new Set(curvesOf(number).map((curve) => curve.role))];
  const spectraChart = (theme) => {
    const all = curvesOf(lab.chosen);
    if (!all.length) return lab.trials.get(lab.chosen).t[1] === null ? "This trial has not started." : "The page holds no spectra of this trial.";
    const curves = all.filter((curve) => curve.role === role).sort((a, b) => (a.x ?? 0) - (b.x ?? 0));
    const isRelative = curves.every((curve) => curve.relative);
    const zTitle = isRelative ? "reflectance" : words(yName);
    const places = new Set(curves.map((curve) => curve.x));
    const canMap = curves.length > 2 && places.size === curves.length && new Set(curves.map((curve) => curve.grid)).size === 1;
    const margin = { l: 60, r: 8, t: 8, b: 46 };
    if (view === "map" && canMap) {
      const z = curves.map(lab.values);
      return {
        data: [{
          type: "heatmap", x: curves.map((curve) => curve.x), y: grids[curves[0].grid], z, transpose: true, colorscale: "Viridis",
          colorbar: { title: { text: zTitle, side: "right" }, thickness: 12, outlinewidth: 0 }, hovertemplate: "%{x:.3f} mm, %{y:.0f}: %{z:.3g}<extra></extra>",
        }, {
          type: "scatter", mode: "markers", x: curves.map((curve) => curve.x), y: curves.map(() => grids[curves[0].grid][0]), hoverinfo: "skip",
          marker: { symbol: "line-ns", size: 9, line: { width: 1.4, color: theme.ink } }, cliponaxis: false,
        }],
        layout: lab.layout(theme, { height: 400, margin, showlegend: false, xaxis: { title: { text: "distance from the middle (mm)" }, showgrid: false }, yaxis: { title: { text: words(xName) }, showgrid: false } }),
      };
    }
    const low = Math.min(...curves.map((curve) => curve.x ?? 0)), high = Math.max(...curves.map((curve) => curve.x ?? 0));
    const color = (x) => (high > low ? viridis(((x ?? 0) - low) / (high - low)) : theme.accent);
    return {
      data: curves.map((curve) => ({
        type: "scatter", mode: "lines", x: grids[curve.grid], y: lab.values(curve), line: { color: color(curve.x), width: 1.3 },
        name: curve.x === null ? lab.safe(curve.id) : `${curve.x.toFixed(3)} mm`, hovertemplate: "%{x:.0f}: %{y:.3g}",
      })),
      layout: lab.layout(theme, { height: 400, margin, showlegend: curves.length < 9, xaxis: { title: { text: words(xName) } }, yaxis: { title: { text: zTitle } } }),
    };
  };
  const viridis = (share) => {
    const stops = [[68, 1, 84], [59, 82, 139], [33, 145, 140], [94, 201, 98], [222, 205, 30]];
    const at = Math.min(share * 4, 3.999), i = Math.floor(at), rest = at - i;
    return `rgb(${stops[i].map((value, k) => Math.round(value + rest * (stops[i + 1][k] - value))).join(",")})`;
  };

  /* Names of curves of our own analyses, and what they say. */
  const meanings = {
    coefficient0: "mean reflectance",
    gradient: "gradient of the spectrum",
  };
  const meaning = (name) => meanings[name] || words(name);

  /* What the analysis made of it. Lists of equal length belong together; one whose name ends in a unit says where, one
     that ends in _sd is the spread of its namesake. Lists `p_x` and `p_y` are dots for the curve `y` over `x`. */
  const isAxis = (name) => /_(mm|um|c|k|nm|s|deg|mv)$/.test(name);
  const isSpread = (name) => /_(sd|std)$/.test(name);
  const curveSets = (found) => {
    const sets = new Map();
    for (const [name, value] of Object.entries(found)) {
      if (!Array.isArray(value) || value.length < 2 || !value.every((item) => item === null || typeof item === "number")) continue;
      sets.set(value.length, [...(sets.get(value.length) || []), name]);
    }
    return [...sets.values()].map((names) => ({ axes: names.filter(isAxis), lines: names.filter((name) => !isAxis(name) && !isSpread(name)) }));
  };
  const told = (number) => {
    const found = observations[number];
    if (!found || found.p.length < 2) return null;
    const spread = parameters.map((item, i) => {
      const values = found.p.map((point) => point[i]).filter((value) => typeof value === "number");
      return values.length && item.high > item.low ? (Math.max(...values) - Math.min(...values)) / (item.high - item.low) : 0;
    });
    const along = spread.indexOf(Math.max(...spread));
    return spread[along] > 0 ? { along, x: found.p.map((point) => point[along]), y: found.v[objective.name], sd: found.sd[objective.name].map((value) => value ?? 0) } : null;
  };
  /* Panels: {title, unit of x, curve: {x, y, sd}, dots: {x, y, sd, name}}. */
  const panels = (number) => {
    const found = details[number] || {};
    const sets = curveSets(found);
    const findings = told(number);
    const isTold = (line) => findings && objective.name.includes(line);
    const used = new Set();
    const built = [];
    for (const { axes, lines } of sets) {
      for (const line of lines) {
        const axis = axes[0];
        const pair = sets.flatMap((other) => other.axes.filter((name) => name.endsWith(`_${axis}`)).map((name) => [name, `${name.slice(0, -axis.length)}${line}`])).find(([, y]) => found[y]);
        if (pair) used.add(pair[1]);
        const dots = pair ? { x: found[pair[0]], y: found[pair[1]], name: "measured" } : isTold(line) ? { ...findings, name: "told to the planner" } : null;
        built.push({ line, title: meaning(line), xTitle: axis ? words(axis) : "index", curve: { x: found[axis] || found[line].map((_, i) => i), y: found[line], sd: found[`${line}_sd`] || found[`${line}_std`] }, dots });
      }
    }
    const kept = built.filter((panel) => !used.has(panel.line));
    if (findings && !kept.some((panel) => panel.dots && panel.dots.name === "told to the planner")) {
      kept.push({ title: lab.axisTitle(objective), xTitle: lab.axisTitle(parameters[findings.along]), dots: { ...findings, name: "told to the planner" } });
    }
    return kept.slice(0, 4);
  };
  const panelTraces = (panel, axes, theme) => {
    const traces = [];
    if (panel.curve) {
      const order = panel.curve.x.map((_, i) => i).sort((a, b) => panel.curve.x[a] - panel.curve.x[b]);
      const pick = (list) => order.map((i) => list[i]);
      const x = pick(panel.curve.x), y = pick(panel.curve.y), sd = panel.curve.sd && pick(panel.curve.sd);
      if (sd) {
        traces.push({
          type: "scatter", mode: "lines", ...axes, x: [...x, ...[...x].reverse()], y: [...y.map((value, i) => value + 1.645 * sd[i]), ...y.map((value, i) => value - 1.645 * sd[i]).reverse()],
          fill: "toself", fillcolor: theme.isDark ? "rgba(92,194,199,.2)" : "rgba(11,106,114,.15)", line: { width: 0 }, hoverinfo: "skip", showlegend: false,
        });
      }
      traces.push({ type: "scatter", mode: "lines", ...axes, x, y, name: lab.safe(panel.title), line: { color: theme.accent, width: 2 }, showlegend: false, hovertemplate: "%{x:.4g}: %{y:.4g}<extra></extra>" });
    }
    if (panel.dots) {
      traces.push({
        type: "scatter", mode: "markers", ...axes, x: panel.dots.x, y: panel.dots.y, name: panel.dots.name, marker: { color: theme.ink, size: 5.5 }, showlegend: false,
        error_y: panel.dots.sd ? { type: "data", array: panel.dots.sd.map((value) => 1.645 * value), color: theme.ink, thickness: 0.8, width: 0 } : undefined,
        hovertemplate: `${panel.dots.name}: %{x:.4g}, %{y:.4g}<extra></extra>`,
      });
    }
    return traces;
  };
  const analysisChart = (theme) => {
    const shown = panels(lab.chosen);
    if (!shown.length) return "The analysis left no curves for this trial.";
    const columns = lab.isNarrow() ? 1 : Math.min(2, shown.length), rows = Math.ceil(shown.length / columns);
    const data = [], layout = { height: 265 * rows + 20, margin: { l: 62, r: 8, t: 8, b: 46 } };
    shown.forEach((panel, i) => {
      const suffix = i ? String(i + 1) : "", column = i % columns, row = Math.floor(i / columns);
      data.push(...panelTraces(panel, { xaxis: "x" + suffix, yaxis: "y" + suffix }, theme));
      const top = 1 - row / rows;
      layout["xaxis" + suffix] = { domain: [column / columns + (column ? 0.07 : 0), (column + 1) / columns - 0.005], anchor: "y" + suffix, title: { text: lab.safe(panel.xTitle) } };
      layout["yaxis" + suffix] = { domain: [top - 1 / rows + (row < rows - 1 ? 0.2 / rows : 0), top], anchor: "x" + suffix, title: { text: panel.curve ? lab.safe(panel.title) : panel.title } };
    });
    return { data, layout: lab.layout(theme, layout) };
  };

  const showPicture = (trial) => {
    const place = lab.by("trial-picture");
    const picture = spectra.pictures[trial.n];
    place.hidden = !picture;
    if (!picture) return;
    place.querySelector("img").src = picture.uri;
    place.querySelector("figcaption").textContent = picture.width_mm ? `${lab.number(picture.width_mm, 3)} mm wide; the height is not to scale.` : "";
  };

  const hasSpectra = Object.keys(spectra.curves).length > 0;
  let drawSpectra = () => {};
  let drawAnalysis = () => {};
  const showRoles = (number) => {
    const roles = rolesOf(number);
    if (!roles.includes(role)) role = roles.includes("film") ? "film" : roles[0] ?? null;
    lab.switch(lab.by("trial-role"), roles.length > 1 ? roles.map((name) => [name, name]) : [], role, (value) => { role = value; drawSpectra(); });
    lab.by("trial-role").hidden = roles.length < 2;
  };

  lab.listeners.push((number) => {
    const trial = lab.trials.get(number);
    marks.forEach((button, key) => button.setAttribute("aria-current", String(key === number)));
    select.value = String(number);
    showFacts(trial);
    showSteps(trial);
    showPicture(trial);
    if (hasSpectra) showRoles(number);
    drawSpectra();
    drawAnalysis();
  });
  const measured = trials.filter((trial) => trial.o === "measured");
  const merit = (trial) => trial.m ?? trial.v[objective.name];
  const byValue = measured.filter((trial) => typeof trial.v[objective.name] === "number").sort((a, b) => merit(b) - merit(a));
  const telling = [...byValue, ...measured, ...trials];
  lab.choose((telling.find((trial) => !hasSpectra || curvesOf(trial.n).length) || telling[0]).n);
  if (hasSpectra) {
    lab.switch(lab.by("trial-view"), [["map", "map"], ["lines", "lines"]], view, (value) => { view = value; drawSpectra(); });
    drawSpectra = lab.chart("spectra-chart", spectraChart);
  } else if (lab.by("spectra-panel")) {
    lab.by("spectra-panel").hidden = true;
  }
  const hasAnalysis = trials.some((trial) => panels(trial.n).length);
  if (hasAnalysis) drawAnalysis = lab.chart("analysis-chart", analysisChart);
  else lab.by("analysis-panel").hidden = true;
  document.querySelector(".browser").classList.toggle("alone", !hasSpectra && !hasAnalysis);
});
