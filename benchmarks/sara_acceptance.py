"""SARA's acceptance lines (a) to (f) on the simulated film station, as one table and one plot.

    python benchmarks/sara_acceptance.py [--seeds 20] [--first 40] [--exhaustive 20] [--out DIR] [--png FILE]

Failure events are on in all of it (line f). Campaigns run without wire and journal (`benchmarks/sara_outer.py`): the
same planner, films, detector, scans and analysis as `labpilot simulate examples/sara/campaign.yaml`. Every run is a
line of a file in DIR and is not made again. `--only NAME ...` makes some parts of it.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import sara_exhaustive
import sara_kernels
from matplotlib.figure import Figure
from sara_outer import OPTIONS, campaign, stripes_to

OUT = Path(__file__).parent / "results" / "sara"
STRIPES = 48
WEIGHED_AT = 32
"""Stripes after which the boundary error is judged."""
LARGEST_ERROR_C = 10.0
ALL_SPECTRA = 625 * 201

Run = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One row of the table."""

    name: str
    what: str
    target: str
    measured: str
    is_met: bool | None
    """None: for comparison, nothing is asked of it."""

    def text(self) -> str:
        """Return the row."""
        verdict = {True: "met", False: "missed", None: ""}[self.is_met]
        return f"| {self.name} | {self.what} | {self.target} | {self.measured} | {verdict} |"


def kept(file: Path, make: Callable[[int], Run], seeds: Sequence[int]) -> list[Run]:
    """Return a run for each seed, from the file where it has one; others are made and appended."""
    have = {run["seed"]: run for run in _lines(file)}
    for seed in seeds:
        if seed not in have:
            have[seed] = make(seed)
            with file.open("a") as stream:
                stream.write(json.dumps(have[seed]) + "\n")
            print(f"{file.stem}: seed {seed} made", flush=True)
    return [have[seed] for seed in seeds]


def _lines(file: Path) -> list[Run]:
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def parts() -> Mapping[str, Callable[[int], Run]]:
    """Return what is run, by the name of its file."""
    outer = {f"stripes {way}": partial(campaign, way, stripes=STRIPES) for way in ("sara", "random")}
    inner = {f"scan {way}": partial(sara_kernels.trial, way) for way in sara_kernels.WAYS}
    return {**outer, **inner, "exhaustive": sara_exhaustive.trial}


def quartiles(values: Sequence[float | None]) -> tuple[float, float, float]:
    """Return median and quartiles; what was never reached counts as infinite."""
    numbers = np.array([np.inf if value is None else value for value in values], dtype=float)
    low, middle, high = np.quantile(numbers, [0.25, 0.5, 0.75], method="nearest")
    return float(middle), float(low), float(high)


def written(values: Sequence[float | None], digits: int = 3) -> str:
    """Return median and quartiles as text."""
    middle, low, high = quartiles(values)
    return f"{middle:.{digits}g} [{low:.{digits}g}, {high:.{digits}g}]"


def at(run: Run, key: str, stripes: int) -> float:
    """Return a score after so many stripes, or at the last scored stage before."""
    stages = [value for n, value in zip(run["stripes"], run[key], strict=True) if n <= stripes]
    return float(stages[-1])


def outer_lines(runs: Mapping[str, list[Run]]) -> list[Line]:
    """Return the lines that campaigns answer: (a), (c), (d)."""
    sara, random = runs["stripes sara"], runs["stripes random"]
    reached = {name: [stripes_to(run) for run in each] for name, each in (("sara", sara), ("random", random))}
    medians = {name: quartiles(values)[0] for name, values in reached.items()}
    is_lower = medians["sara"] <= 0.6 * medians["random"] and np.isfinite(medians["sara"])
    inside = {n: float(np.mean([at(run, "coverage", n) for run in sara])) for n in (16, WEIGHED_AT, STRIPES)}
    errors = {name: [at(run, "ridge_error_c", WEIGHED_AT) for run in runs[f"stripes {name}"]] for name in medians}
    return [
        Line(
            name="a",
            what="stripes to R2(1/s^2) 0.7, over those of random",
            target="at most 0.6",
            measured=f"{medians['sara'] / medians['random']:.2f}: {written(reached['sara'])} / "
            f"{written(reached['random'])}",
            is_met=bool(is_lower),
        ),
        Line(
            name="c",
            what="coverage of 90 % intervals of g, mean, after 16 / 32 / 48 stripes",
            target="85 to 95 %",
            measured=" / ".join(f"{100 * value:.1f} %" for value in inside.values()),
            is_met=all(0.85 <= value <= 0.95 for value in inside.values()),
        ),
        Line(
            name="d",
            what=f"boundary error after {WEIGHED_AT} stripes",
            target="at most 10 degC",
            measured=f"{written(errors['sara'])} degC (random: {written(errors['random'])})",
            is_met=quartiles(errors["sara"])[0] <= LARGEST_ERROR_C,
        ),
    ]


def inner_lines(runs: Mapping[str, list[Run]]) -> list[Line]:
    """Return the two lines (b)."""
    spectra = {way: [n for run in runs[f"scan {way}"] for n in run["to_9"]] for way in sara_kernels.WAYS}
    ours = quartiles(spectra["integrated_gradient"])[0]
    lines = []
    for other, what, most in (
        ("random", "those of random places", 0.7),
        ("integrated_gradient, EQ", "those of a plain EQ kernel", 0.5),
        ("random, EQ", "those of random places with an EQ kernel", None),
    ):
        ratio = ours / quartiles(spectra[other])[0]
        lines.append(
            Line(
                name="b",
                what=f"spectra to R2 0.9 of the slope, over {what}",
                target="-" if most is None else f"at most {most}",
                measured=f"{ratio:.2f}: {written(spectra['integrated_gradient'])} / {written(spectra[other])}",
                is_met=None if most is None else ratio <= most,
            )
        )
    return lines


def spectra_lines(runs: Mapping[str, list[Run]]) -> list[Line]:
    """Return the lines (e): spectra of a campaign against those of the exhaustive map, with both errors."""
    sara, whole = runs["stripes sara"], runs["exhaustive"]
    rows = []
    for n in (WEIGHED_AT, STRIPES):
        taken = float(np.median([at(run, "spectra", n) for run in sara]))
        errors = [at(run, "ridge_error_c", n) for run in sara]
        is_met = ALL_SPECTRA / taken >= 100.0 and quartiles(errors)[0] <= LARGEST_ERROR_C
        measured = f"{taken:.0f}, {ALL_SPECTRA / taken:.0f} x fewer; error {written(errors)} degC"
        rows.append(
            Line(
                name="e",
                what=f"spectra of {n} stripes, for {ALL_SPECTRA:,} of the exhaustive map",
                target="100 x fewer, error at most 10 degC",
                measured=measured,
                is_met=is_met,
            )
        )
    if whole:
        errors = [run["ridge_error_c"] for run in whole]
        covered = np.mean([run["coverage"] for run in whole])
        rows.append(
            Line(
                name="e",
                what=f"boundary error of the exhaustive map itself, {len(whole)} films",
                target="at most 10 degC",
                measured=f"{written(errors)} degC; coverage {100 * covered:.1f} %, "
                f"R2(1/s^2) {np.median([run['r2'] for run in whole]):.2f}",
                is_met=quartiles(errors)[0] <= LARGEST_ERROR_C,
            )
        )
        same = [at(run, "ridge_error_c", STRIPES) for run in sara if run["seed"] in {one["seed"] for one in whole}]
        rows.append(
            Line(
                name="e",
                what=f"boundary error of {STRIPES} stripes on the same films",
                target="-",
                measured=f"{written(same)} degC",
                is_met=None,
            )
        )
    return rows


def failure_line(runs: Mapping[str, list[Run]]) -> Line:
    """Return line (f): what failed, all switches being on."""
    failed = [run["failed"] for run in runs["stripes sara"]]
    events = [event for run in runs["scan integrated_gradient"] for event in run["events"] if event != "none"]
    switches = ("misfires", "dropouts", "particles", "delaminations")
    return Line(
        name="f",
        what="failure events on in all lines",
        target="on",
        measured=f"{sum(failed)} of {STRIPES * len(failed)} stripes gave no result; "
        f"{len(events)} events among the scanned stripes of (b)",
        is_met=all(getattr(OPTIONS, switch) for switch in switches),
    )


def draw(runs: Mapping[str, list[Run]], file: Path) -> None:
    """Draw R2 and boundary error against stripes, and what scans need."""
    figure = Figure(figsize=(12, 3.8), layout="constrained")
    quality, edges, scans = figure.subplots(1, 3)
    for name, colour in (("sara", "tab:blue"), ("random", "tab:orange")):
        for axes, key in ((quality, "r2"), (edges, "ridge_error_c")):
            stages = np.arange(4, STRIPES + 1, 2)
            table = np.array([[at(run, key, int(n)) for n in stages] for run in runs[f"stripes {name}"]])
            low, middle, high = np.quantile(np.minimum(table, 1e3), [0.25, 0.5, 0.75], axis=0)
            axes.plot(stages, middle, color=colour, label=name)
            axes.fill_between(stages, low, high, color=colour, alpha=0.2)
            axes.set_xlabel("stripes")
    quality.axhline(0.7, color="0.5", linestyle=":")
    quality.set(ylim=(-0.5, 1.0), ylabel="R2 of the map, weight 1/s^2")
    edges.axhline(LARGEST_ERROR_C, color="0.5", linestyle=":")
    if runs["exhaustive"]:
        whole = float(np.median([run["ridge_error_c"] for run in runs["exhaustive"]]))
        edges.axhline(whole, color="tab:green", linestyle="--", label="exhaustive map, 625 stripes")
    edges.set(ylim=(0.0, 40.0), ylabel="boundary error, degC")
    for way in sara_kernels.WAYS:
        reached = [np.inf if n is None else n for run in runs[f"scan {way}"] for n in run["to_9"]]
        scans.step(np.sort(reached), np.arange(1, len(reached) + 1) / len(reached), where="post", label=way)
    scans.set(xlim=(0, 128), ylim=(0, 1), xlabel="spectra", ylabel="share of stripes with R2 of the slope at 0.9")
    for axes in (quality, edges, scans):
        axes.legend(fontsize=8)
    figure.savefig(file, dpi=110)


def main() -> None:
    """Run what is missing, print the table, draw the plot."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first", type=int, default=40)
    parser.add_argument("--exhaustive", type=int, default=20, help="films that are mapped exhaustively, 6 CPU min each")
    parser.add_argument("--only", nargs="+", choices=list(parts()), help="make these parts only, and print no table")
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--png", type=Path, help="by default acceptance.png beside the runs")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    runs = {}
    for name, make in parts().items():
        n = given.exhaustive if name == "exhaustive" else given.seeds
        if not given.only or name in given.only:
            runs[name] = kept(
                given.out / f"{name.replace(', ', '-').replace(' ', '-')}.jsonl",
                make,
                range(given.first, given.first + n),
            )
    if given.only:
        return
    lines = sorted([*outer_lines(runs), *inner_lines(runs), *spectra_lines(runs), failure_line(runs)], key=_order)
    print("\n| line | what | target | measured | |\n|---|---|---|---|---|")
    print("\n".join(line.text() for line in lines))
    draw(runs, given.png or given.out / "acceptance.png")


def _order(line: Line) -> str:
    return line.name


if __name__ == "__main__":
    main()
