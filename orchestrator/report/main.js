/* Scheme, print, width: draw everything again when colours or the page's width change. */
lab.part("main", () => {
  const root = document.documentElement;
  const button = lab.by("scheme");
  const say = () => { button.textContent = lab.isDark() ? "Light" : "Dark"; };
  button.addEventListener("click", () => {
    root.dataset.scheme = lab.isDark() ? "light" : "dark";
    say();
    lab.redraw();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { say(); lab.redraw(); });
  say();

  let narrow = lab.isNarrow();
  window.addEventListener("resize", () => {
    if (lab.isNarrow() === narrow) return;
    narrow = lab.isNarrow();
    lab.redraw();
  });

  let before = null;
  window.addEventListener("beforeprint", () => {
    before = root.dataset.scheme ?? null;
    lab.isPrinting = true;
    root.dataset.scheme = "light";
    root.classList.add("printing");
    lab.redraw();
  });
  window.addEventListener("afterprint", () => {
    lab.isPrinting = false;
    root.classList.remove("printing");
    if (before === null) delete root.dataset.scheme;
    else root.dataset.scheme = before;
    lab.redraw();
  });
});
