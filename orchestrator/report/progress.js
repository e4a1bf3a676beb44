/* Objective or map uncertainty against trials, and predictions against what was measured. */
lab.part("progress", () => {
  const { trials, objective, asks, end_s: endS } = lab.data;
  if (!trials.length) return;
  const isLearning = objective.direction === "learn";
  const unit = lab.timeUnit(endS);
  let axis = "trial";

  const timeOf = (trial) => (trial.t[2] ?? trial.t[1] ?? trial.t[0]) / unit.seconds;
  const xOf = (trial) => (axis === "trial" ? trial.n : timeOf(trial));
  const xTitle = () => (axis === "trial" ? "trial" : `time (${unit.name})`);
  const measured = trials.filter((trial) => trial.o === "measured" && trial.v[objective.name] !== undefined && trial.v[objective.name] !== null);
  const valueOf = (trial) => trial.v[objective.name];
  const sayTrial = (trial) => `trial ${trial.n}${trial.c ? " (control)" : ""}`;

  const marks = (theme, { yaxis }) => {
    const styles = [["failed", "x", theme.failed], ["lost", "diamond", theme.lost], ["open", "circle-open", theme.open]];
    return styles.map(([outcome, symbol, color]) => {
      const found = trials.filter((trial) => trial.o === outcome);
      return {
        type: "scatter", mode: "markers", name: `${lab.outcomeWords[outcome]} (${found.length})`, yaxis,
        x: found.map(xOf), y: found.map(() => 0), customdata: found.map((trial) => trial.n),
        text: found.map((trial) => lab.safe(`${sayTrial(trial)} ${lab.outcomeWords[outcome]}${trial.why ? ": " + trial.why : ""}`)),
        hovertemplate: "%{text}<extra></extra>", marker: { symbol, size: 8, color, line: { color, width: 1.5 } },
        visible: found.length ? true : false,
      };
    });
  };

  const bestSoFar = () => {
    let best = null, most = null;
    const points = [];
    const inOrder = [...measured].sort((a, b) => xOf(a) - xOf(b));
    for (const trial of inOrder) {
      if (trial.m !== null && (most === null || trial.m > most)) [best, most] = [valueOf(trial), trial.m];
      if (best !== null) points.push([xOf(trial), best]);
    }
    return points;
  };

  const optimisation = (theme) => {
    const plain = measured.filter((trial) => !trial.c);
    const controls = measured.filter((trial) => trial.c);
    const hover = `%{text}: %{y:.4g} ${lab.safe(objective.unit)}<extra></extra>`;
    const foreseen = plain.filter((trial) => trial.e[objective.name]);
    const best = bestSoFar();
    return [
      {
        type: "scatter", mode: "markers", name: "predicted before (mean, sd)", visible: "legendonly",
        x: foreseen.map(xOf), y: foreseen.map((trial) => trial.e[objective.name][0]), customdata: foreseen.map((trial) => trial.n),
        error_y: { type: "data", array: foreseen.map((trial) => trial.e[objective.name][1]), color: theme.control, thickness: 1, width: 0 },
        marker: { color: theme.control, size: 4 }, text: foreseen.map((trial) => `predicted, trial ${trial.n}`), hovertemplate: hover,
      },
      {
        type: "scatter", mode: "markers", name: "measured", x: plain.map(xOf), y: plain.map(valueOf),
        customdata: plain.map((trial) => trial.n), text: plain.map(sayTrial), hovertemplate: hover,
        marker: { color: theme.measured, size: 7, opacity: 0.75 },
      },
      {
        type: "scatter", mode: "markers", name: "controls", x: controls.map(xOf), y: controls.map(valueOf),
        customdata: controls.map((trial) => trial.n), text: controls.map(sayTrial), hovertemplate: hover,
        marker: { symbol: "square-open", color: theme.control, size: 7 }, visible: controls.length ? true : false,
      },
      {
        type: "scatter", mode: "lines", name: "best so far", x: best.map((point) => point[0]), y: best.map((point) => point[1]),
        line: { shape: "hv", color: theme.ink, width: 2 }, hovertemplate: "best so far: %{y:.4g}<extra></extra>",
      },
    ];
  };

  const known = Object.keys(asks.diagnostics);
  const worth = known.filter((name) => asks.diagnostics[name].filter((value) => value !== null).length > 1);
  let diagnostic = worth.includes("map_uncertainty") ? "map_uncertainty" : worth[0];

  const learning = (theme) => {
    const points = asks.index.map((_, i) => i).filter((i) => asks.diagnostics[diagnostic][i] !== null);
    return [{
      type: "scatter", mode: "lines+markers", name: lab.safe(diagnostic.replaceAll("_", " ")), showlegend: false,
      x: points.map((i) => (axis === "trial" ? asks.before[i] : asks.at[i] / unit.seconds)),
      y: points.map((i) => asks.diagnostics[diagnostic][i]),
      line: { color: theme.accent, width: 2 }, marker: { color: theme.accent, size: 5 },
      hovertemplate: `after %{x:.4g} ${axis === "trial" ? "trials" : unit.name}: %{y:.4g}<extra></extra>`,
    }];
  };

  /* A first guess from next to no data can be a hundred times the rest. */
  const scale = () => {
    const values = asks.diagnostics[diagnostic].filter((value) => value !== null);
    const low = Math.min(...values), high = Math.max(...values);
    return low > 0 && high > 30 * low ? { type: "log", ...lab.logTicks(low / 2, high * 2) } : { rangemode: "tozero" };
  };

  const draw = lab.chart("progress-chart", (theme) => {
    const showsLearning = isLearning && diagnostic;
    if (!showsLearning && !measured.length && !trials.some((trial) => trial.o !== "measured")) return objective.direction === "classify" ? "Fingerprints are no single numbers that could be drawn." : "Nothing was measured yet.";
    const data = [...(showsLearning ? learning(theme) : optimisation(theme)), ...marks(theme, { yaxis: "y2" })];
    const hasMarks = trials.some((trial) => trial.o !== "measured");
    const isInUnit = diagnostic === "map_uncertainty";
    const title = showsLearning ? lab.axisTitle({ label: diagnostic.replaceAll("_", " "), unit: isInUnit ? objective.unit : "" }) : lab.axisTitle(objective);
    const layout = lab.layout(theme, {
      height: 390, margin: { l: 60, r: 14, t: 30, b: 46 },
      xaxis: { title: { text: xTitle(), standoff: 8 }, rangemode: "tozero", anchor: "y2" },
      yaxis: { title: { text: title, standoff: 8 }, domain: [hasMarks ? 0.13 : 0, 1], ...(showsLearning ? scale() : { rangemode: "tozero" }) },
      yaxis2: { domain: [0, 0.07], range: [-1, 1], showticklabels: false, ticks: "", showgrid: false, fixedrange: true },
    });
    return { data, layout };
  }, lab.chooseOnClick);

  lab.switch(lab.by("progress-axis"), [["trial", "by trial"], ["time", "by time"]], axis, (value) => { axis = value; draw(); });
  const chooser = lab.by("progress-what");
  if (chooser && isLearning && worth.length > 1) {
    chooser.replaceChildren(...worth.map((name) => lab.element("option", { value: name }, name.replaceAll("_", " "))));
    chooser.value = diagnostic;
    chooser.hidden = false;
    chooser.addEventListener("change", () => { diagnostic = chooser.value; draw(); });
  }

  const paired = isLearning ? [] : measured.filter((trial) => trial.e[objective.name] && trial.e[objective.name][1] !== null);
  lab.chart("honesty-chart", (theme) => {
    if (paired.length < 2) return "There are no predictions to compare with.";
    const x = paired.map((trial) => trial.e[objective.name][0]);
    const y = paired.map(valueOf);
    const half = paired.map((trial) => 1.645 * trial.e[objective.name][1]);
    const all = [...x.map((value, i) => value - half[i]), ...x.map((value, i) => value + half[i]), ...y];
    const low = Math.min(...all), high = Math.max(...all);
    const slack = 0.06 * (high - low || 1);
    return {
      data: [
        { type: "scatter", mode: "lines", x: [low, high], y: [low, high], line: { color: theme.control, width: 1, dash: "dot" }, hoverinfo: "skip" },
        {
          type: "scatter", mode: "markers", x, y, customdata: paired.map((trial) => trial.n), text: paired.map(sayTrial),
          error_x: { type: "data", array: half, color: theme.control, thickness: 0.7, width: 0 },
          marker: { color: paired.map((trial) => trial.n), colorscale: "Viridis", size: 7, line: { color: theme.card, width: 0.5 }, colorbar: { title: { text: "trial", side: "right" }, thickness: 12, outlinewidth: 0, tickfont: { color: theme.soft } } },
          hovertemplate: "%{text}: predicted %{x:.3g}, measured %{y:.3g}<extra></extra>",
        },
      ],
      layout: lab.layout(theme, {
        height: 390, showlegend: false, xaxis: { title: { text: `predicted ${lab.axisTitle(objective)}, with 90% interval` }, range: [low - slack, high + slack] },
        yaxis: { title: { text: `measured ${lab.axisTitle(objective)}` }, range: [low - slack, high + slack] },
      }),
    };
  }, lab.chooseOnClick);
});
