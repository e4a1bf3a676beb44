/* The figure of one pattern: traces and layout, from its data and from what the reader chose to see. */
xrd.figure = (() => {
  const PANELS = { pattern: "y", ticks: "y2", counts: "y3", sigma: "y4" };

  /* How intensities are drawn; plotly knows no square root, so values are transformed and ticks written by us. */
  const SCALES = {
    linear: { of: (value) => value },
    sqrt: { of: (value) => (value === null ? null : Math.sign(value) * Math.sqrt(Math.abs(value))) },
    log: { of: (value) => (value === null || value <= 0 ? null : value) },
  };

  const domains = (rows) => {
    const ticks = Math.min(0.05 + 0.024 * rows, 0.22);
    const sigma = [0, 0.11], counts = [0.14, 0.27], row = [0.295, 0.295 + ticks];
    return { sigma, counts, ticks: row, pattern: [row[1] + 0.015, 1] };
  };

  const hover = (pattern, axes) => pattern.theta.map((theta, i) => {
    const d = pattern.wavelength ? ` · d ${xrd.number(axes.d.of(theta), 5)} Å · q ${xrd.number(axes.q.of(theta), 4)} Å⁻¹` : "";
    const parts = `observed ${xrd.number(pattern.observed[i])}, calculated ${xrd.number(pattern.calculated[i])}`;
    return `2θ ${theta.toFixed(3)}°${d}<br>${parts}<br>difference ${xrd.number(pattern.difference[i], 3)} (${xrd.number(pattern.inSigma[i], 2)} σ)`;
  });

  const line = (x, y, panel, color, more = {}) => ({
    type: "scatter", mode: "lines", x, y, yaxis: panel, line: { color, width: 1.1, ...more.line }, hoverinfo: "skip",
    showlegend: false, ...Object.fromEntries(Object.entries(more).filter(([name]) => name !== "line")),
  });

  /* A phase's part on top of the background, where it can be seen at all. */
  const visible = (curve, pattern) => curve.map((value, i) => (
    value === null || value < 0.2 * (pattern.sigma[i] || 0) ? null : value + pattern.background[i]));

  const curves = (pattern, state, theme, x) => {
    const scaled = (values) => values.map(SCALES[state.scale].of);
    const on = (name) => !state.hidden.has(name);
    const size = pattern.theta.length > 3000 ? 3 : 4;
    const onTop = pattern.phases.map((phase, k) => line(
      x, scaled(visible(phase.curve, pattern)), PANELS.pattern,
      theme.phases[k % 8], { line: { width: 3 }, opacity: 0.55, visible: on(`phase ${k}`) },
    ));
    return [
      line(x, scaled(pattern.background), PANELS.pattern, theme.background, { line: { width: 1.4, dash: "4px,3px" }, visible: on("background") }),
      ...onTop,
      { ...line(x, scaled(pattern.observed), PANELS.pattern, theme.ink, { visible: on("observed") }), mode: "markers",
        marker: { color: theme.ink, size, opacity: 0.5 } },
      line(x, scaled(pattern.calculated), PANELS.pattern, theme.calculated, { visible: on("calculated") }),
      line(x, scaled(pattern.calculated), PANELS.pattern, "rgba(0,0,0,0)", { text: state.hover, hoverinfo: "text" }),
    ];
  };

  /* One row of ticks a phase, the first on top; what no phase explains lies below all. */
  const ticks = (pattern, theme, axis, rows) => {
    const row = (positions, level, color, symbol, text) => ({
      type: "scatter", mode: "markers", x: positions.map(axis.of), y: positions.map(() => level), yaxis: PANELS.ticks,
      marker: { symbol, size: 9, color, line: { color, width: 1.2 } }, text, hoverinfo: "text", showlegend: false,
    });
    const all = xrd.axes(pattern.wavelength);
    const told = (name, theta) => `${xrd.safe(name)}<br>2θ ${theta.toFixed(3)}°${pattern.wavelength ? ` · d ${xrd.number(all.d.of(theta), 5)} Å` : ""}`;
    const drawn = pattern.phases.map((phase, k) => row(phase.ticks, rows - 1 - k, theme.phases[k % 8], "line-ns", phase.ticks.map((theta) => told(phase.name, theta))));
    if (pattern.peaks.length) {
      const names = pattern.peaks.map(([theta, height]) => told(`not explained, ${xrd.number(height, 3)} σ high`, theta));
      drawn.push(row(pattern.peaks.map((peak) => peak[0]), 0, theme.odd, "triangle-up", names));
    }
    return drawn;
  };

  const differences = (pattern, theme, x) => [
    line(x, pattern.difference, PANELS.counts, theme.ink, { line: { width: 0.9 }, text: pattern.difference.map((value) => `${xrd.number(value, 3)} ${xrd.safe(pattern.unit)}`), hoverinfo: "text" }),
    line(x, pattern.inSigma, PANELS.sigma, theme.ink, { line: { width: 0.9 }, text: pattern.inSigma.map((value) => `${xrd.number(value, 2)} σ`), hoverinfo: "text" }),
  ];

  /* The least and greatest of what a panel shows between two angles, with some slack. */
  const extent = (lists, theta, [low, high], slack) => {
    let least = Infinity, most = -Infinity;
    for (const values of lists) {
      for (let i = 0; i < theta.length; i += 1) {
        const value = values[i];
        if (value === null || theta[i] < low || theta[i] > high) continue;
        if (value < least) least = value;
        if (value > most) most = value;
      }
    }
    if (least > most) return [0, 1];
    const span = most - least || Math.abs(most) || 1;
    return [least - slack[0] * span, most + slack[1] * span];
  };

  const symmetric = ([low, high], least) => {
    const bound = Math.max(Math.abs(low), Math.abs(high), least);
    return [-bound, bound];
  };

  /* Ranges of the three panels that hold curves, for a range of angles. */
  const ranges = (pattern, state) => {
    const theta = pattern.theta;
    const of = SCALES[state.scale].of;
    const shown = [pattern.observed, pattern.calculated].map((values) => values.map(of));
    let counts = extent(shown, theta, state.range, [0.03, 0.05]);
    if (state.scale === "log") {
      const [low, high] = extent(shown, theta, state.range, [0, 0]);
      counts = low > 0 ? [Math.log10(low) - 0.1, Math.log10(high) + 0.1] : [0, 1];
    } else if (state.scale === "linear" || counts[0] < 0) counts[0] = Math.min(counts[0], 0);
    return {
      yaxis: counts,
      yaxis3: symmetric(extent([pattern.difference], theta, state.range, [0.05, 0.05]), 1e-9),
      yaxis4: symmetric(extent([pattern.inSigma], theta, state.range, [0.05, 0.05]), 4.5),
    };
  };

  /* Ticks of a square-root axis at round values, about as many as there is room for. */
  const rootTicks = ([low, high]) => {
    const back = (root) => root * Math.abs(root);
    const found = [];
    const room = (high - low) / 9;
    let last = -Infinity;
    const top = Math.max(Math.abs(back(low)), Math.abs(back(high)), 1e-12);
    for (let power = Math.floor(Math.log10(top)) - 5; power <= Math.ceil(Math.log10(top)); power += 1) {
      for (const factor of [1, 2, 5]) found.push(factor * 10 ** power);
    }
    const kept = [];
    for (const value of [...(low <= 0 ? [0] : []), ...found]) {
      const root = Math.sqrt(value);
      if (root < low || root > high || root - last < room) continue;
      kept.push(value);
      last = root;
    }
    return { tickvals: kept.map(Math.sqrt), ticktext: kept.map((value) => (value >= 1e6 ? value.toExponential() : value.toLocaleString("en", { maximumSignificantDigits: 3 }))) };
  };

  const xRange = (axis, [low, high]) => {
    const ends = [axis.of(low), axis.of(high)];
    return axis.isLog ? ends.map(Math.log10) : ends;
  };

  const short = (text) => (text.length > 15 ? `${text.slice(0, 14)}…` : text);

  const dTicks = (range) => {
    const [high, low] = range.map((power) => 10 ** power);
    const room = (Math.log10(high) - Math.log10(low)) / 14;
    const values = [];
    for (const step of [10, 5, 2, 1, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01]) {
      for (let value = Math.ceil(low / step) * step; value <= high; value += step) {
        if (value > 0 && values.every((other) => Math.abs(Math.log10(other / value)) > room)) values.push(value);
      }
    }
    return { tickvals: values, ticktext: values.map((value) => String(Number(value.toPrecision(4)))) };
  };

  const layout = (pattern, state, theme, axis, rows) => {
    const domain = domains(rows);
    const span = ranges(pattern, state);
    const common = {
      gridcolor: theme.grid, linecolor: theme.line, zeroline: false, ticks: "outside", tickcolor: theme.line, ticklen: 4,
      showline: true, mirror: true,
    };
    const names = [...pattern.phases.map((phase) => phase.name), ...(pattern.peaks.length ? ["not explained"] : [])];
    const range = xRange(axis, state.range);
    const title = (text) => ({ text, standoff: 6, font: { size: 12, color: theme.soft } });
    const upright = (text) => (xrd.isNarrow() ? undefined : title(text));
    return {
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", autosize: true,
      margin: { l: xrd.isNarrow() ? 52 : 112, r: 10, t: 6, b: 44 }, font: { family: "inherit", size: 12, color: theme.ink },
      hoverlabel: { bgcolor: theme.ink, bordercolor: theme.ink, font: { color: theme.paper, family: "inherit", size: 12.5 }, align: "left" },
      dragmode: matchMedia("(pointer: coarse)").matches ? false : "zoom", hovermode: "closest", hoverdistance: 30, spikedistance: -1,
      xaxis: {
        ...common, title: title(axis.title), anchor: PANELS.sigma, range, type: axis.isLog ? "log" : "linear",
        ...(axis.isLog ? dTicks(range) : {}),
        showspikes: true, spikemode: "across", spikesnap: "cursor", spikethickness: 1, spikedash: "solid", spikecolor: theme.background,
      },
      yaxis: {
        ...common, domain: domain.pattern, range: span.yaxis, title: upright(xrd.safe(pattern.unit)), type: state.scale === "log" ? "log" : "linear",
        ...(state.scale === "sqrt" ? rootTicks(span.yaxis) : {}), ...(state.scale === "log" ? { dtick: 1, tickformat: "," } : {}),
      },
      yaxis2: {
        ...common, domain: domain.ticks, range: [-0.7, rows - 0.3], fixedrange: true, showgrid: false, ticks: "",
        showticklabels: !xrd.isNarrow(), tickvals: names.map((_, k) => rows - 1 - k), ticktext: names.map((name) => xrd.safe(short(name))),
      },
      yaxis3: { ...common, domain: domain.counts, range: span.yaxis3, title: upright("obs − calc"), nticks: 4, tickformat: ",", zeroline: true, zerolinecolor: theme.calculated },
      yaxis4: { ...common, domain: domain.sigma, range: span.yaxis4, title: upright("in σ"), nticks: 4, zeroline: true, zerolinecolor: theme.calculated },
      shapes: [{ type: "rect", xref: "paper", x0: 0, x1: 1, yref: "y4", y0: -3, y1: 3, fillcolor: theme.shade, line: { width: 0 }, layer: "below" }],
    };
  };

  const rowsOf = (pattern) => Math.max(pattern.phases.length + (pattern.peaks.length ? 1 : 0), 1);

  /* Everything plotly needs. */
  const build = (pattern, state) => {
    const theme = xrd.theme();
    const axes = xrd.axes(pattern.wavelength);
    const axis = axes[state.axis];
    state.hover ??= hover(pattern, axes);
    const x = pattern.theta.map(axis.of);
    const rows = rowsOf(pattern);
    return {
      data: [...curves(pattern, state, theme, x), ...ticks(pattern, theme, axis, rows), ...differences(pattern, theme, x)],
      layout: layout(pattern, state, theme, axis, rows),
    };
  };

  /* What changes on a new range of angles: the panels fit what they show. */
  const fitted = (pattern, state) => {
    const axis = xrd.axes(pattern.wavelength)[state.axis];
    const span = ranges(pattern, state);
    const range = xRange(axis, state.range);
    const changes = { "xaxis.range": range };
    for (const [name, value] of Object.entries(span)) changes[`${name}.range`] = value;
    if (axis.isLog) for (const [name, value] of Object.entries(dTicks(range))) changes[`xaxis.${name}`] = value;
    if (state.scale === "sqrt") for (const [name, value] of Object.entries(rootTicks(span.yaxis))) changes[`yaxis.${name}`] = value;
    return changes;
  };

  return { build, fitted, rootTicks, scales: Object.keys(SCALES) };
})();
