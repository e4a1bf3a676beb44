/* What was learned: the map over two parameters, or cuts through the best trial, and all trials side by side. */
lab.part("map", () => {
  const { trials, objective, parameters, posterior, observations } = lab.data;
  const symbols = { measured: "circle", failed: "x", lost: "diamond", open: "circle-open" };
  const isMap = posterior && posterior.kind === "map";
  const isFlat = !isMap && parameters.length === 2 && parameters.every((item) => !item.words);

  const stripes = (theme) => Object.keys(symbols).map((outcome) => {
    const found = trials.filter((trial) => trial.o === outcome);
    return {
      type: "scatter", mode: "markers", name: `${lab.outcomeWords[outcome]} (${found.length})`, visible: found.length ? true : false,
      x: found.map((trial) => trial.p[0]), y: found.map((trial) => trial.p[1]), customdata: found.map((trial) => trial.n),
      text: found.map((trial) => lab.safe(`trial ${trial.n} ${lab.outcomeWords[outcome]}${trial.why ? ": " + trial.why : ""}`)),
      hovertemplate: `%{text}<br>${lab.safe(parameters[0].label)} %{x:.4g}, ${lab.safe(parameters[1].label)} %{y:.4g}<extra></extra>`,
      marker: {
        symbol: symbols[outcome], size: outcome === "measured" ? 8 : 9,
        color: outcome === "measured" ? "#ffffff" : outcome === "failed" ? "#ff7a3d" : outcome === "lost" ? "#d9a8ff" : "#ffd75e",
        line: { color: "#14171b", width: 1.2 },
      },
    };
  });

  const chosenMark = () => {
    const trial = lab.trials.get(lab.chosen);
    return {
      type: "scatter", mode: "markers", showlegend: false, hoverinfo: "skip", x: trial ? [trial.p[0]] : [], y: trial ? [trial.p[1]] : [],
      marker: { symbol: "circle-open", size: 17, color: "#ff4f81", line: { color: "#ff4f81", width: 3 } },
    };
  };

  const observed = () => {
    const x = [], y = [];
    for (const one of Object.values(observations)) for (const point of one.p) { x.push(point[0]); y.push(point[1]); }
    return {
      type: "scatter", mode: "markers", name: `observations (${x.length})`, x, y, hoverinfo: "skip", visible: "legendonly",
      marker: { size: 3, color: "#ffffff", opacity: 0.8, line: { color: "#14171b", width: 0.4 } },
    };
  };

  const range = (item) => {
    const [low, high] = item.log ? [Math.log10(item.low), Math.log10(item.high)] : [item.low, item.high];
    const slack = 0.03 * (high - low || 1);
    return [low - slack, high + slack];
  };
  /* Equal margins, with room for two lines of legend and the widest numbers of a colour bar: maps side by side align. */
  const mapLayout = (theme) => lab.layout(theme, {
    height: lab.isNarrow() ? 340 : 430, showlegend: !lab.isPrinting, margin: { l: 62, r: 92, t: 56, b: 46 },
    xaxis: { ...lab.axisOf(parameters[0]), range: range(parameters[0]), showgrid: false },
    yaxis: { ...lab.axisOf(parameters[1]), range: range(parameters[1]), showgrid: false },
  });
  const heat = (z, colorscale, title, theme) => ({
    type: "heatmap", x: posterior.x, y: posterior.y, z, colorscale,
    colorbar: { title: { text: title, side: "right" }, thickness: 12, outlinewidth: 0, tickfont: { color: theme.soft } },
    hovertemplate: "%{x:.4g}, %{y:.4g}: %{z:.3g}<extra></extra>",
  });

  if (isMap) {
    const drawMean = lab.chart("map-mean", (theme) => ({
      data: [heat(posterior.mean, "Viridis", lab.axisTitle(objective), theme), observed(), ...stripes(theme), chosenMark()],
      layout: mapLayout(theme),
    }), lab.chooseOnClick);
    const drawSd = lab.chart("map-sd", (theme) => ({
      data: [heat(posterior.sd, theme.certain, `standard deviation${objective.unit ? ` (${lab.safe(objective.unit)})` : ""}`, theme), observed(), ...stripes(theme), chosenMark()],
      layout: mapLayout(theme),
    }), lab.chooseOnClick);
    lab.listeners.push(() => { drawMean(); drawSd(); });
  } else if (isFlat) {
    const draw = lab.chart("map-points", (theme) => {
      if (!trials.length) return "No trial was accepted yet.";
      const found = trials.filter((trial) => trial.o === "measured" && typeof trial.v[objective.name] === "number");
      const values = {
        type: "scatter", mode: "markers", showlegend: false, x: found.map((trial) => trial.p[0]), y: found.map((trial) => trial.p[1]),
        customdata: found.map((trial) => trial.n), text: found.map((trial) => `trial ${trial.n}`),
        marker: { size: 11, color: found.map((trial) => trial.v[objective.name]), colorscale: "Viridis", colorbar: { title: { text: lab.axisTitle(objective), side: "right" }, thickness: 12 } },
        hovertemplate: "%{text}: %{marker.color:.4g}<extra></extra>",
      };
      return { data: [...stripes(theme).slice(1), values, chosenMark()], layout: mapLayout(theme) };
    }, lab.chooseOnClick);
    lab.listeners.push(draw);
  }

  /* One small panel per parameter: what was measured, and the prediction if only this parameter changed. */
  const numeric = (value, item) => (item.words ? item.words.indexOf(String(value)) : value);
  const measured = trials.filter((trial) => trial.o === "measured" && typeof trial.v[objective.name] === "number");
  const cuts = posterior && posterior.kind === "slices" ? new Map(posterior.slices.map((cut) => [cut.parameter, cut])) : new Map();

  const band = (cut, axes, theme) => {
    const item = parameters[cut.parameter];
    if (item.words) return bars(cut, item, axes, theme);
    const x = cut.x.map((value) => numeric(value, item));
    const upper = cut.mean.map((mean, i) => mean + 1.645 * cut.sd[i]);
    const lower = cut.mean.map((mean, i) => mean - 1.645 * cut.sd[i]);
    const inside = cut.mean.map((mean, i) => (cut.allowed[i] ? mean : null));
    const line = { type: "scatter", mode: "lines", hoverinfo: "skip", showlegend: false, ...axes };
    return [
      { ...line, x: [...x, ...[...x].reverse()], y: [...upper, ...[...lower].reverse()], fill: "toself", fillcolor: theme.isDark ? "rgba(92,194,199,.16)" : "rgba(11,106,114,.13)", line: { width: 0 } },
      { ...line, x, y: cut.mean, line: { color: theme.accent, width: 1.2, dash: "dot" } },
      { ...line, x, y: inside, line: { color: theme.accent, width: 2.2 } },
    ];
  };

  const MOST_NAMED = 60; /* words that an axis has room for; those of more are told by hovering */
  /* There is nothing between two words. */
  const bars = (cut, item, axes, theme) => [{
    type: "scatter", mode: "markers", showlegend: false, ...axes, x: cut.x.map((value) => numeric(value, item)), y: cut.mean,
    text: cut.x.map(lab.safe), hovertemplate: "%{text}: %{y:.4g} predicted<extra></extra>",
    error_y: { type: "data", array: cut.sd.map((sd) => 1.645 * sd), color: theme.accent, thickness: cut.x.length > MOST_NAMED ? 0.5 : 1.5, width: cut.x.length > MOST_NAMED ? 0 : 5 },
    marker: { symbol: cut.allowed.map((is) => (is ? "circle" : "circle-open")), size: cut.x.length > MOST_NAMED ? 3 : 8, color: theme.accent },
  }];

  if (!isMap && !isFlat) {
    lab.chart("cuts-chart", (theme) => {
      if (!measured.length) return "No trial gave a value yet.";
      const shown = parameters.slice(0, 24);
      const columns = Math.min(shown.length, lab.isNarrow() ? 2 : shown.length > 4 ? 5 : 4);
      const rows = Math.ceil(shown.length / columns);
      const turned = shown.filter((item) => item.words && item.words.length <= MOST_NAMED && item.words.join("  ").length * 7 > 1050 / columns);
      const below = turned.length ? 140 : 62;
      const data = [], layout = { height: Math.max(260, rows * (153 + below)), showlegend: false, margin: { l: 46, r: 8, t: 8, b: 6 }, annotations: [] };
      const best = posterior && posterior.trial ? lab.trials.get(posterior.trial) : null;
      shown.forEach((item, i) => {
        const suffix = i ? String(i + 1) : "";
        const column = i % columns, row = Math.floor(i / columns);
        const axes = { xaxis: "x" + suffix, yaxis: "y" + suffix };
        const left = column / columns, top = 1 - row / rows;
        layout["xaxis" + suffix] = {
          ...lab.axisOf(item), domain: [left + (column ? 0.012 : 0), left + 1 / columns - 0.012], anchor: "y" + suffix,
          title: { text: lab.axisTitle(item), standoff: 4, font: { size: 12 } }, nticks: 5, automargin: false,
          ...(item.words && item.words.length > MOST_NAMED ? { showticklabels: false, showgrid: false } : {}),
        };
        layout["yaxis" + suffix] = { domain: [top - 1 / rows + below / layout.height, top - 8 / layout.height], anchor: "x" + suffix, matches: i ? "y" : undefined, showticklabels: column === 0, nticks: 5 };
        if (cuts.has(i)) data.push(...band(cuts.get(i), axes, theme));
        data.push({
          type: "scatter", mode: "markers", ...axes, x: measured.map((trial) => numeric(trial.p[i], item)), y: measured.map((trial) => trial.v[objective.name]),
          customdata: measured.map((trial) => trial.n), text: measured.map((trial) => `trial ${trial.n}`), hovertemplate: "%{text}: %{y:.4g}<extra></extra>",
          marker: { color: measured.map((trial) => (trial.c ? theme.control : theme.ink)), size: 4, opacity: 0.5 },
        });
        if (best) {
          data.push({
            type: "scatter", mode: "markers", ...axes, x: [numeric(best.p[i], item)], y: [best.v[objective.name]], customdata: [best.n],
            hovertemplate: `best: trial ${best.n}<extra></extra>`, marker: { symbol: "circle", size: 9, color: theme.failed, line: { color: theme.card, width: 1 } },
          });
        }
      });
      return { data, layout: lab.layout(theme, layout) };
    }, lab.chooseOnClick);
  }

  const share = (value, item) => {
    const number = numeric(value, item);
    if (item.words) return item.words.length > 1 ? number / (item.words.length - 1) : 0.5;
    const [low, high] = item.log ? [Math.log(item.low), Math.log(item.high)] : [item.low, item.high];
    return high > low ? ((item.log ? Math.log(number) : number) - low) / (high - low) : 0.5;
  };

  lab.chart("parallel-chart", (theme) => {
    if (!measured.length) return "No trial gave a value yet.";
    const sorted = [...measured].sort((a, b) => a.v[objective.name] - b.v[objective.name]);
    if (objective.direction === "minimize") sorted.reverse();
    const low = sorted[0].v[objective.name], high = sorted[sorted.length - 1].v[objective.name];
    const classes = Math.min(7, sorted.length);
    const colors = ["#440154", "#443983", "#31688e", "#21918c", "#35b779", "#90d743", "#fde725"];
    if (!theme.isDark) colors[6] = "#c8b900";
    const data = [];
    for (let k = 0; k < classes; k += 1) {
      const x = [], y = [];
      for (const trial of sorted) {
        const place = high !== low ? (trial.v[objective.name] - low) / (high - low) : 1;
        if (Math.min(classes - 1, Math.floor(place * classes)) !== k) continue;
        parameters.forEach((item, i) => { x.push(i); y.push(share(trial.p[i], item)); });
        x.push(null); y.push(null);
      }
      if (!x.length) continue;
      const ends = [low + (k / classes) * (high - low), low + ((k + 1) / classes) * (high - low)].map((value) => lab.number(value, 3));
      data.push({
        type: "scatter", mode: "lines", x, y, hoverinfo: "skip", name: `${ends[0]} to ${ends[1]}`,
        line: { color: colors[Math.round((k / Math.max(1, classes - 1)) * 6)], width: k === classes - 1 ? 2.2 : 1 }, opacity: k === classes - 1 ? 1 : 0.55,
      });
    }
    const ends = (item) => (item.words ? [item.words[0], item.words[item.words.length - 1]] : [lab.number(item.low, 3), lab.number(item.high, 3)]);
    const annotations = parameters.flatMap((item, i) => [[1, "bottom", ends(item)[1]], [0, "top", ends(item)[0]]].map(([y, yanchor, text]) => ({
      x: i, y, yanchor, yshift: yanchor === "bottom" ? 3 : -3, text: lab.safe(text), showarrow: false, font: { size: 11, color: theme.soft },
    })));
    /* The first slanted name reaches out to the left; plotly leaves out one that would be cut. */
    const slant = lab.isNarrow() ? 60 : 25;
    const reach = 6.6 * lab.axisTitle(parameters[0]).length * Math.cos((slant * Math.PI) / 180);
    return {
      data,
      layout: lab.layout(theme, {
        height: 400, margin: { l: Math.max(30, reach - 20), r: 30, t: 60, b: 70 }, annotations, legend: { orientation: "h", x: 0, y: 1.12, yanchor: "bottom", title: { text: lab.isNarrow() ? "" : lab.axisTitle(objective) + ": " }, font: { color: theme.soft } },
        xaxis: { tickvals: parameters.map((_, i) => i), ticktext: parameters.map(lab.axisTitle), tickangle: -slant, showgrid: true, gridcolor: theme.line, ticks: "", ticklabelstandoff: 16, range: [-0.3, parameters.length - 0.7] },
        yaxis: { visible: false, range: [-0.06, 1.06] },
      }),
    };
  });
});
