/* Charts come to life when they come near the window; zooming, switches and toggles act on one pattern each. */
xrd.charts = [];

xrd.chart = (place) => {
  const number = place.dataset.pattern;
  const pattern = xrd.pattern(number);
  const whole = [Math.min(...pattern.theta), Math.max(...pattern.theta)];
  const state = { scale: "sqrt", axis: "2θ", hidden: new Set(), range: whole };
  const draw = () => {
    const { data, layout } = xrd.figure.build(pattern, state);
    return Plotly.react(place, data, layout, { responsive: true, displaylogo: false, displayModeBar: false, doubleClick: false });
  };

  const fit = () => Plotly.relayout(place, xrd.figure.fitted(pattern, state));
  let isOurs = false;
  const onRelayout = (event) => {
    if (isOurs || !("xaxis.range[0]" in event)) return;
    const axis = xrd.axes(pattern.wavelength)[state.axis];
    const ends = place.layout.xaxis.range.map((end) => axis.to(axis.isLog ? 10 ** end : end));
    state.range = [Math.max(Math.min(...ends), whole[0]), Math.min(Math.max(...ends), whole[1])];
    isOurs = true;
    const hasHeight = Object.keys(event).some((name) => name.startsWith("yaxis"));
    const done = hasHeight && state.scale === "sqrt"
      ? Plotly.relayout(place, Object.fromEntries(Object.entries(xrd.figure.rootTicks(place.layout.yaxis.range)).map(([name, value]) => [`yaxis.${name}`, value])))
      : hasHeight ? Promise.resolve() : fit();
    done.then(() => { isOurs = false; });
  };
  const showAll = () => {
    state.range = whole;
    isOurs = true;
    fit().then(() => { isOurs = false; });
  };

  const toggle = (name) => (isOn) => {
    if (isOn) state.hidden.delete(name);
    else state.hidden.add(name);
    draw();
  };
  const chips = xrd.element(
    "span", { class: "chips" },
    ...["observed", "calculated", "background"].map((name) => xrd.chip(name, name, toggle(name))),
    ...pattern.phases.map((phase, k) => xrd.chip(phase.name, `c${k % 8}`, toggle(`phase ${k}`))),
  );
  xrd.by(`tools-${number}`).replaceChildren(
    chips,
    xrd.switch("Intensity scale", xrd.figure.scales, state.scale, (name) => { state.scale = name; draw(); }),
    ...(pattern.wavelength ? [xrd.switch("Horizontal axis", ["2θ", "q", "d"], state.axis, (name) => { state.axis = name; draw(); })] : []),
    xrd.element("button", { type: "button", class: "tool", onclick: showAll }, "whole pattern"),
  );
  if (pattern.joined > 1) xrd.by(`note-${number}`).textContent = ` Each point is the mean of ${pattern.joined} neighbours.`;
  draw();
  place.on("plotly_relayout", onRelayout);
  place.on("plotly_doubleclick", showAll);
  xrd.charts.push(draw);
};

xrd.part("charts", () => {
  const places = Array.from(document.querySelectorAll(".chart"));
  const wake = (place) => {
    if (place.dataset.awake) return;
    place.dataset.awake = "yes";
    xrd.part(`chart ${place.dataset.pattern}`, () => xrd.chart(place));
  };
  xrd.wakeAll = () => places.forEach(wake);
  if (places.length < 3) {
    xrd.wakeAll();
    return;
  }
  const watcher = new IntersectionObserver((entries) => {
    for (const entry of entries) if (entry.isIntersecting) wake(entry.target);
  }, { rootMargin: "800px" });
  places.forEach((place) => watcher.observe(place));
});
