/* The table of all patterns; the scheme; printing. */
xrd.part("table", () => {
  const table = xrd.by("patterns");
  if (!table) return;
  const body = table.tBodies[0];
  const heads = Array.from(table.tHead.rows[0].cells);
  const rows = Array.from(body.rows);

  const keyOf = (row, column) => {
    const cell = row.cells[column];
    if (cell.dataset.key !== undefined) return Number(cell.dataset.key);
    return cell.textContent === "–" ? null : cell.textContent;
  };
  const compare = (a, b) => (typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b), "en", { numeric: true }));
  const sort = (column, sign) => {
    const keyed = rows.map((row, at) => ({ row, at, key: keyOf(row, column) }));
    keyed.sort((a, b) => {
      if (a.key === null || b.key === null) return (a.key === null) - (b.key === null) || a.at - b.at;
      return sign * compare(a.key, b.key) || a.at - b.at;
    });
    body.replaceChildren(...keyed.map((item) => item.row));
    heads.forEach((head, k) => head.setAttribute("aria-sort", k !== column ? "none" : sign > 0 ? "ascending" : "descending"));
  };
  heads.forEach((head, column) => head.querySelector("button").addEventListener("click", () => {
    sort(column, head.getAttribute("aria-sort") === "ascending" ? -1 : 1);
  }));

  const field = xrd.by("filter"), told = xrd.by("filter-count");
  const words = rows.map((row) => Array.from(row.cells).slice(0, 3).map((cell) => cell.textContent).join(" ").toLowerCase());
  field.addEventListener("input", () => {
    const wanted = field.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    rows.forEach((row, k) => {
      row.hidden = !wanted.every((word) => words[k].includes(word));
      if (!row.hidden) shown += 1;
    });
    told.textContent = wanted.length ? `${shown} of ${rows.length}` : "";
  });
});

xrd.part("scheme", () => {
  const root = document.documentElement;
  const button = xrd.by("scheme");
  const redraw = () => xrd.charts.forEach((draw) => draw());
  const say = () => { button.textContent = xrd.isDark() ? "Light" : "Dark"; };
  button.addEventListener("click", () => {
    root.dataset.scheme = xrd.isDark() ? "light" : "dark";
    say();
    redraw();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { say(); redraw(); });
  say();

  let narrow = xrd.isNarrow();
  window.addEventListener("resize", () => {
    if (xrd.isNarrow() === narrow) return;
    narrow = xrd.isNarrow();
    redraw();
  });

  let before = null;
  window.addEventListener("beforeprint", () => {
    before = root.dataset.scheme ?? null;
    xrd.isPrinting = true;
    root.dataset.scheme = "light";
    root.classList.add("printing");
    xrd.wakeAll();
    redraw();
  });
  window.addEventListener("afterprint", () => {
    xrd.isPrinting = false;
    root.classList.remove("printing");
    if (before === null) delete root.dataset.scheme;
    else root.dataset.scheme = before;
    redraw();
  });
});
