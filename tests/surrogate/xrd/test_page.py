"""The page of identifications: well formed, self-contained, escaped, bounded, and drawn by a browser."""

import base64
import dataclasses
import hashlib
import json
import math
import re
import shutil
import subprocess
from html.parser import HTMLParser

import numpy as np
import pytest

from surrogate.xrd.page import Page
from surrogate.xrd.page_pack import MOST_POINTS, packed, wavelength_angstrom
from surrogate.xrd.result import Alternative, Cell, Curves, Gate, Identification, PhaseClaim, ResidualPeak

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
WAVELENGTH = 1.540598
NASTY = "</script><img src=x onerror=alert(1)>&\u2028"


def pseudo_voigt(theta, centre, width=0.15):
    z = (theta - centre) / width
    return 0.5 / (1 + 4 * z**2) + 0.5 * np.exp(-4 * math.log(2) * z**2)


def curves(names, n=900):
    theta = np.linspace(10.0, 80.0, n)
    background = 100.0 + 300.0 * np.exp(-theta / 15.0)
    ticks = {name: np.array([21.0, 33.0, 47.0]) + 2.5 * k for k, name in enumerate(names)}
    parts = {name: sum(2000.0 * pseudo_voigt(theta, tick) for tick in ticks[name]) for name in names}
    calculated = background + sum(parts.values())
    observed = np.random.default_rng(3).poisson(calculated).astype(float)
    return Curves(
        two_theta_deg=theta, observed=observed, sigma=np.sqrt(observed + 1.0), calculated=calculated,
        background=background, contributions=parts, ticks_deg=ticks,
    )  # fmt: skip


def claim(name):
    values = (4.5937, 4.5937, 2.9587, 90.0, 90.0, 90.0)
    return PhaseClaim(
        name=name, formula="Ti2O3", space_group="P 42/m n m", probability=0.97, weight_fraction=0.5,
        weight_interval=(0.45, 0.55), reference_cell=values, crystallite_nm=40.0, texture=1.2, source="Some paper",
        cell=Cell(values=values, esd=(3e-4, 3e-4, 2e-4, 0.0, 0.0, 0.0), volume_angstrom3=62.4), is_solid_solution=True,
    )  # fmt: skip


def identification(file="a.xy", verdict="identified", names=("rutile", "anatase"), drawn=True, **changes):
    return Identification(
        file=file, verdict=verdict, reasons=changes.pop("reasons", ("one set stands out",)),
        phases=tuple(map(claim, names)),
        alternatives=(Alternative(phases=tuple(names), probability=0.95), Alternative(phases=(), probability=0.05)),
        unknown_peaks=(ResidualPeak(two_theta_deg=29.9, d_angstrom=2.9859, height_sigma=31.0, relative_height=0.06),),
        amorphous_fraction=0.12, rwp=9.1, rexp=4.2, gof=2.17, seconds=0.4,
        gates=tuple(
            Gate(name=f"G{k}", passed=passed, reason=f"reason {k}")
            for k, passed in enumerate((True, False, None), start=1)
        ),
        provenance={"sha256": "ab12", "wavelength_angstrom": WAVELENGTH, "library": {"key": "cd34"}},
        curves=curves(names) if drawn else None, **changes,
    )  # fmt: skip


def page(*found, **options):
    built = Page(limit=options.pop("limit", 50))
    for one in found:
        built.add(one)
    return built.render(**options)


def body(text):
    return text[text.index("<body") : text.index('<script type="application/json"')]


class Checker(HTMLParser):
    """Collects elements left open, ids given twice, addresses, inline handlers, scripts."""

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.open, self.problems, self.ids, self.urls, self.targets, self.scripts = [], [], set(), [], [], []
        self._script = None

    def handle_starttag(self, tag, attrs):
        for name, value in attrs:
            if name == "id":
                self.problems += [f"id {value} twice"] if value in self.ids else []
                self.ids.add(value)
            if name in ("src", "href", "action", "data", "poster", "srcset"):
                (self.targets if value.startswith("#") else self.urls).append(value)
            if name.startswith("on"):
                self.problems.append(f"inline handler {name}")
        if tag == "script":
            self._script = [dict(attrs), ""]
        if tag not in {"meta", "br", "input"}:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.problems.append(f"</{tag}>")
        if tag == "script":
            self.scripts.append(tuple(self._script))
            self._script = None

    def handle_data(self, data):
        if self._script is not None:
            self._script[1] += data


def checked(text):
    checker = Checker()
    checker.feed(text)
    checker.close()
    return checker


@pytest.fixture(scope="module")
def several():
    found = [
        identification(NASTY, reasons=(NASTY,), names=(NASTY,)),
        identification("b.xy", "unknown phase present"),
        Identification(file="c.xy", verdict="unusable", reasons=("the file is empty",)),
    ]
    return page(*found, notices=[NASTY], about=["Compared with 2 phases."])


def test_a_page_is_well_formed_and_its_links_lead_somewhere(several):
    checker = checked(several)
    assert (checker.problems, checker.open, checker.urls) == ([], [], [])
    assert {target[1:] for target in checker.targets} <= checker.ids
    assert {"pattern-1", "pattern-2", "pattern-3", "all", "chart-1", "chart-2"} <= checker.ids
    assert "chart-3" not in checker.ids


def test_text_of_files_cannot_become_markup(several):
    assert "<img" not in several[: several.index("plotly.js")]
    assert "&lt;img src=x" in body(several)
    data = json.loads(re.search(r'id="data-1">(.*?)</script>', several)[1])
    assert data["phases"][0]["name"] == NASTY


def test_the_policy_allows_the_page_its_own_scripts_and_nothing_else(several):
    scripts = [text for attributes, text in checked(several).scripts if attributes.get("type") != "application/json"]
    policy = re.search(r'Content-Security-Policy" content="(.*?)"', several)[1]
    hashes = {f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}" for text in scripts}
    assert set(re.findall(r"sha256-[^']+", policy)) == hashes
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "url(" not in several[: several.index("</style>")]
    assert not re.search(r"https?://|fetch\(|XMLHttpRequest|eval\(|innerHTML", scripts[-1])


def test_one_pattern_needs_no_table_of_patterns():
    text = page(identification())
    assert 'id="patterns"' not in text
    assert "<title>a.xy · phases</title>" in text
    shown = body(text)
    for words in (
        "rutile and anatase", "4.5937(3)", "2.9587(2)", "50 (45 to 55)", "Ti<sub>2</sub>O<sub>3</sub>",
        "2.9859", "reason 2", "cannot say", "failed", "passed", "library: key", "cd34", "9.1 %", "2.17", "12 %",
        "no phase", "solid solution",
    ):  # fmt: skip
        assert words.replace(" (45", "<br>(45") in shown


def test_an_unusable_file_is_told_with_its_reason_and_carries_no_plotly():
    text = page(Identification(file="bad.xy", verdict="unusable", reasons=("the file is empty",)))
    assert "the file is empty" in text
    assert len(text) < 100_000
    assert checked(text).problems == []


def test_the_most_doubtful_patterns_are_shown_in_full_and_all_are_listed():
    verdicts = ["identified"] * 5 + ["unknown phase present", "unusable", "cannot tell"]
    found = [identification(f"{k}.xy", verdict, drawn=False) for k, verdict in enumerate(verdicts)]
    text = page(*found, limit=3)
    assert re.findall(r'<section class="pattern" id="pattern-(\d+)"', text) == ["1", "6", "8"]
    assert all(f"{k}.xy" in text for k in range(len(verdicts)))
    assert "3 of 8 patterns are shown in full" in text
    assert set(re.findall(r'href="#pattern-(\d+)"', text)) == {"1", "6", "8"}


def test_thousands_of_patterns_are_rows_of_a_table_only():
    built = Page(limit=2)
    one = identification(drawn=False)
    for _ in range(3000):
        built.add(one)
    text = built.render()
    assert text.count('<section class="pattern"') == 2
    assert len(re.findall(r"<tr><td>.*?a\.xy", text)) >= 3000
    assert len(text) < 3_000_000


def test_no_pattern_in_full_is_possible():
    assert '<section class="pattern"' not in page(identification(), identification("b.xy"), limit=0)


def unpacked(curve):
    steps = np.frombuffer(base64.b64decode(curve["data"]), dtype="<u2").astype(float)
    root = curve["low"] + steps * (curve["high"] - curve["low"]) / 65534
    return np.where(steps == 65535, np.nan, root * np.abs(root))


def test_packing_keeps_counts_within_a_hundredth_of_their_noise():
    found = identification()
    values = np.array(found.curves.observed)
    values[3] = np.nan
    values[4] = -50.0
    values[5] = 350_000.0
    data = packed(identification_with(found, observed=values))
    back = unpacked(data["observed"])
    assert np.isnan(back[3])
    assert back[4] == pytest.approx(-50.0, abs=0.1)
    keep = np.isfinite(values)
    assert np.max(np.abs(back[keep] - values[keep]) / np.sqrt(np.abs(values[keep]) + 1.0)) < 0.02


def identification_with(found, **changes):
    return dataclasses.replace(found, curves=dataclasses.replace(found.curves, **changes))


def test_a_constant_curve_survives_packing():
    found = identification()
    flat = np.full_like(found.curves.observed, 7.0)
    assert unpacked(packed(identification_with(found, observed=flat))["observed"]) == pytest.approx(flat)


def test_long_scans_are_shortened_and_say_so():
    found = identification_with(identification())
    long = curves(("rutile",), n=3 * MOST_POINTS - 5)
    data = packed(Identification(file="a", verdict="identified", reasons=(), curves=long))
    assert data["joined"] == 3
    sigma = unpacked(data["sigma"])
    assert len(sigma) == MOST_POINTS - 2
    assert np.median(sigma) == pytest.approx(np.median(long.sigma) / math.sqrt(3), rel=0.02)
    assert packed(found)["joined"] == 1


@pytest.mark.parametrize(
    ("provenance", "expected"),
    [
        ({"wavelength_angstrom": 0.7}, 0.7),
        ({"wavelength_angstrom": [1.5406, 1.5444]}, 1.5406),
        ({}, 1.5406),
        ({"wavelength_angstrom": "copper"}, 1.5406),
    ],
    ids=["stated", "several lines", "by a peak", "nonsense"],
)
def test_the_wavelength_is_found_for_the_other_axes(provenance, expected):
    found = dataclasses.replace(identification(drawn=False), provenance=provenance)
    assert wavelength_angstrom(found) == pytest.approx(expected, abs=2e-4)


def test_phases_are_drawn_in_the_order_and_colours_of_their_table():
    found = identification(names=("rutile", "anatase"))
    backwards = dict(reversed(found.curves.contributions.items()))
    data = packed(identification_with(found, contributions=backwards))
    assert [one["name"] for one in data["phases"]] == ["rutile", "anatase"]
    assert data["phases"][1]["ticks"] == [23.5, 35.5, 49.5]


def test_curves_that_are_not_there_cannot_be_packed():
    with pytest.raises(ValueError, match=r"identification of a\.xy has no curves"):
        packed(identification(drawn=False))


TRY = """
window.addEventListener("load", () => setTimeout(async () => {
  const buttons = [...document.querySelectorAll("#tools-2 button")];
  const press = (text) => buttons.find((one) => one.textContent === text).click();
  for (const name of ["log", "linear", "q", "d", "sqrt", "rutile"]) press(name);
  const chart = document.getElementById("chart-2");
  const ends = chart.layout.xaxis.range.map((power) => (10 ** power).toFixed(3));
  await Plotly.relayout(chart, { "xaxis.range[0]": Math.log10(3.0), "xaxis.range[1]": Math.log10(2.5) });
  press("2θ");
  const zoomed = chart.layout.xaxis.range.map((end) => end.toFixed(2));
  document.querySelectorAll("#patterns th button")[1].click();
  const order = [...document.querySelectorAll("#patterns tbody tr")].map((row) => row.cells[1].textContent);
  window.dispatchEvent(new Event("beforeprint"));
  window.dispatchEvent(new Event("afterprint"));
  document.body.dataset.tried = JSON.stringify({ ends, zoomed, order });
}, 300));
"""


@pytest.mark.skipif(BROWSER is None, reason="no chromium is installed")
def test_a_browser_draws_and_redraws_every_chart_without_a_complaint(several, tmp_path):
    # the script that presses buttons would be refused by the page's own policy
    text = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", several)
    path = tmp_path / "page.html"
    path.write_text(text.replace("</body>", f"<script>{TRY}</script></body>"), encoding="utf-8")
    document, complaints = load(path, tmp_path / "profile")
    assert complaints == []
    assert "could not be drawn" not in body(document)
    assert document.count('class="main-svg"') >= 4
    tried = json.loads(re.search(r'data-tried="(.*?)"', document)[1].replace("&quot;", '"'))
    # the whole pattern in d, longest first; then 3.0 to 2.5 angstrom, back in degrees
    assert [float(end) for end in tried["ends"]] == pytest.approx([8.838, 1.198], abs=0.002)
    assert [float(end) for end in tried["zoomed"]] == pytest.approx([29.76, 35.89], abs=0.02)
    assert tried["order"] == ["unusable", "identified", "unknown phase present"]


@pytest.mark.skipif(BROWSER is None, reason="no chromium is installed")
def test_the_policy_lets_the_page_run(several, tmp_path):
    path = tmp_path / "page.html"
    path.write_text(several, encoding="utf-8")
    document, complaints = load(path, tmp_path / "profile")
    assert complaints == []
    assert document.count('class="main-svg"') >= 4


def load(path, profile):
    """Load a page headless; return the document as the scripts left it, and what they logged."""
    command = [
        BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--disable-sync", "--enable-logging=stderr",
        f"--user-data-dir={profile}", "--window-size=1300,2000", "--virtual-time-budget=5000", "--dump-dom",
        path.absolute().as_uri(),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    return done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line]
