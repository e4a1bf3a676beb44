"""CAMEO on simulated composition spreads: how few points map the phases, and find the best property.

    python benchmarks/phase_map.py [--seeds 20] [--first 0] [--points 48] [--ways cameo ...] [--json FILE] [--png FILE]

Each seed is a spread of three elements with 231 points and four to six phase regions
(`simulators/materials/ternary_spread.py`). Each measurement is a counted diffraction pattern and a noisy property. The
map is made by the same code whoever chose the points (`surrogate/phase_map`), and scored by the Fowlkes-Mallows index
(J. Am. Stat. Assoc. 78, 553 (1983)) of all points, measured or not, against the true regions. The property counts as
found once a point was measured whose noiseless value is within 5 % of the optimum; it runs from 0 to 1.

Runs are kept in the file of `--json`, and taken from there the next time.

`logei` sees the property alone, and has no map; "map of the nearest" gives each point the region of the nearest
measured one, on cameo's points.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from planner import Continuous, Objective, Observation, Planner, SearchSpace
from simulators.materials.ternary_spread import TernarySpread, draw_spread
from surrogate.phase_map.endmembers import MixtureOptions
from surrogate.phase_map.regions import fit_phase_map

ELEMENTS = ("a", "b", "c")
PATTERN, PROPERTY = "pattern", "property"
WAYS = ("cameo", "random", "grid", "logei")
EVERY = 4
"""Points between two scores of the map."""
FIRST_MAP = 8
GOOD_MAP = 0.8
GOOD_PROPERTY = 0.95
WIDTH = 2.0**0.5
"""Of the triangle, in fractions of elements: the map's lengths are in units of it."""
MIXTURES = MixtureOptions(most_shift=3.0, most_phases=3, least_share=0.02, most_endmembers=8)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One way of choosing on one spread."""

    best: np.ndarray
    """Greatest noiseless property of the points so far, by points."""
    sizes: np.ndarray
    """After how many points the map was scored, `s`."""
    index: np.ndarray
    """Fowlkes-Mallows index, `s`."""
    index_nearest: np.ndarray
    """That of the nearest measured region, `s`."""
    seconds: float
    """CPU time of asking and telling, per point."""


def run(way: str, seed: int, points: int) -> Run:
    """Let one way choose points of one spread."""
    spread = draw_spread(seed)
    rng = np.random.default_rng([seed, 7])
    chosen, patterns, seconds, maps = choose(way, spread, points, seed, rng)
    sizes = [n for n in range(FIRST_MAP, points + 1, EVERY) if way != "logei"]
    if way != "cameo":
        maps = {n: mapped(spread, chosen[:n], patterns[:n]) for n in sizes}
    both = [scores(spread, chosen[:n], maps[n]) for n in sizes]
    return Run(
        best=np.maximum.accumulate(spread.property_true[chosen]),
        sizes=np.array(sizes, dtype=int),
        index=np.array([one for one, _ in both]),
        index_nearest=np.array([other for _, other in both]),
        seconds=seconds / points,
    )


def choose(
    way: str, spread: TernarySpread, points: int, seed: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, float, dict[int, np.ndarray]]:
    """Return which points were measured, their patterns, the planner's CPU time in s, and the policy's maps by size."""
    pool = [dict(zip(ELEMENTS, map(float, row), strict=True)) for row in spread.compositions]
    space = SearchSpace([Continuous(name, 0.0, 1.0) for name in ELEMENTS], candidates=pool)
    objectives = [Objective(PROPERTY, "maximize")]
    if way != "logei":
        objectives.insert(0, Objective(PATTERN, "classify"))
    if way == "grid":
        return (*_along_grid(spread, points, rng), 0.0, {})
    planner = Planner(space, objectives, seed=seed, policy=way)
    at = {key: i for i, key in enumerate(space.keys(space.rows(pool)))}
    chosen, patterns, seconds, maps = [], [], 0.0, {}
    for n in range(1, points + 1):
        began = time.process_time()
        proposal = planner.ask(1)[0]
        seconds += time.process_time() - began
        index = at[space.keys(space.rows([proposal.parameters]))[0]]
        pattern, value = spread.measure_pattern(index, rng), spread.measure_property(index, rng)
        planner.tell(
            [
                Observation(
                    parameters=proposal.parameters,
                    values={PROPERTY: value},
                    fingerprints={} if way == "logei" else {PATTERN: pattern},
                    proposal_id=proposal.id,
                )
            ]
        )
        chosen.append(index)
        patterns.append(pattern)
        if way == "cameo" and n >= FIRST_MAP:
            began = time.process_time()
            maps[n] = planner.regions(pool).probabilities.argmax(axis=1)
            seconds += time.process_time() - began  # the next proposal needs the same map
    return np.array(chosen), np.array(patterns), seconds, maps


def _along_grid(spread: TernarySpread, points: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Measure each point next that is farthest from those before: a grid that becomes finer, from the middle."""
    places = spread.compositions
    away = np.sum((places - 1.0 / 3.0) ** 2, axis=1)
    chosen = [int(np.argmin(away))]
    nearest = np.full(len(places), np.inf)
    while len(chosen) < points:
        nearest = np.minimum(nearest, np.sum((places - places[chosen[-1]]) ** 2, axis=1))
        chosen.append(int(np.argmax(nearest + 1e-9 * rng.random(len(places)))))
    return np.array(chosen), np.array([spread.measure_pattern(index, rng) for index in chosen])


def mapped(spread: TernarySpread, chosen: np.ndarray, patterns: np.ndarray) -> np.ndarray:
    """Return the most probable region of every point, by numbers."""
    places = spread.compositions / WIDTH
    return fit_phase_map(places[chosen], patterns, MIXTURES).probabilities(places).argmax(axis=1)


def scores(spread: TernarySpread, chosen: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    """Return the Fowlkes-Mallows index of a map, and of that in which points are of the nearest measured's region."""
    places = spread.compositions
    squared = np.sum((places[:, None] - places[chosen][None]) ** 2, axis=2)
    nearest = labels[chosen][squared.argmin(axis=1)]
    return fowlkes_mallows(spread.region_labels, labels), fowlkes_mallows(spread.region_labels, nearest)


def fowlkes_mallows(truth: np.ndarray, found: np.ndarray) -> float:
    """Return the index of two labellings (`n` each): of the pairs together in one, how many are in the other too."""
    counts = np.zeros((truth.max() + 1, found.max() + 1))
    np.add.at(counts, (truth, found), 1)
    n = len(truth)
    together = np.sum(counts**2) - n
    left, right = np.sum(counts.sum(axis=1) ** 2) - n, np.sum(counts.sum(axis=0) ** 2) - n
    return float(together / np.sqrt(left * right)) if left > 0 and right > 0 else 0.0


def first_at(sizes: np.ndarray, values: np.ndarray, threshold: float) -> float:
    """Return after how many points values reach a threshold and stay there; inf where they do not."""
    below = np.flatnonzero(values < threshold)
    if not len(below):
        return float(sizes[0])
    return float(sizes[below[-1] + 1]) if below[-1] + 1 < len(sizes) else np.inf


def table(runs: Mapping[str, Sequence[Run]], pool: int) -> str:
    """Return the table, medians with quartiles."""
    lines = [
        "| points chosen by | points to FMI 0.8 for good | FMI at 10 % | at 20 % | maps at 0.8 within 20 % | "
        "points to the property within 5 % | found within 25 | CPU s a point |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for way, its in runs.items():
        lines.append(_line(way, its, [one.index for one in its], pool))
        if way == "cameo":
            lines.append(_line("cameo, map of the nearest", its, [one.index_nearest for one in its], pool))
    return "\n".join(lines)


def _line(name: str, its: Sequence[Run], indices: Sequence[np.ndarray], pool: int) -> str:
    sizes = its[0].sizes
    to_best = [_first_hit(one.best) for one in its]
    found = f"{_spread(to_best)} | {sum(n <= 25 for n in to_best)} of {len(its)}"
    seconds = f"{np.median([one.seconds for one in its]):.2f}"
    if not len(sizes):
        return f"| {name} | - | - | - | - | {found} | {seconds} |"
    to_map = [first_at(sizes, index, GOOD_MAP) for index in indices]
    at_tenth, at_fifth = (
        [float(index[np.searchsorted(sizes, int(share * pool), side="right") - 1]) for index in indices]
        for share in (0.1, 0.2)
    )
    return (
        f"| {name} | {_spread(to_map)} | {_spread(at_tenth)} | {_spread(at_fifth)} | "
        f"{sum(n <= 0.2 * pool for n in to_map)} of {len(its)} | {found} | {seconds} |"
    )


def _first_hit(best: np.ndarray) -> float:
    hits = np.flatnonzero(best >= GOOD_PROPERTY)
    return float(hits[0] + 1) if len(hits) else np.inf


def _spread(values: Sequence[float]) -> str:
    low, middle, high = np.quantile(values, [0.25, 0.5, 0.75], method="nearest")
    return f"{middle:.3g} [{low:.3g}, {high:.3g}]"


def draw(runs: Mapping[str, Sequence[Run]], seed: int, points: int, pool: int) -> Figure:
    """Return the figure: quality of the map, regret, and one spread as it is and as it was mapped."""
    figure = Figure(figsize=(12.5, 7.0), layout="constrained")
    (left, right), (truth, found) = figure.subplots(2, 2)
    for number, (way, its) in enumerate(runs.items()):
        sizes = 100.0 * its[0].sizes / pool
        if len(sizes):
            low, middle, high = np.quantile([one.index for one in its], [0.25, 0.5, 0.75], axis=0)
            left.plot(sizes, middle, color=f"C{number}", label=way)
            left.fill_between(sizes, low, high, color=f"C{number}", alpha=0.15, lw=0)
        regret = 1.0 - np.array([one.best for one in its])
        low, middle, high = np.quantile(regret, [0.25, 0.5, 0.75], axis=0)
        right.plot(range(1, points + 1), middle, color=f"C{number}", label=way)
        right.fill_between(range(1, points + 1), low, high, color=f"C{number}", alpha=0.15, lw=0)
    left.axhline(GOOD_MAP, color="0.5", lw=0.8)
    left.axvline(20.0, color="0.5", lw=0.8)
    left.set(xlabel="points measured, % of the pool", ylabel="Fowlkes-Mallows index, median and quartiles")
    left.legend()
    right.axhline(1.0 - GOOD_PROPERTY, color="0.5", lw=0.8)
    right.axvline(25.0, color="0.5", lw=0.8)
    right.set(xlabel="points measured", ylabel="regret of the property, median and quartiles")
    right.legend()
    _draw_maps(truth, found, seed, int(0.2 * pool))
    return figure


def _draw_maps(truth: Axes, found: Axes, seed: int, points: int) -> None:
    spread = draw_spread(seed)
    chosen, _, _, maps = choose("cameo", spread, points, seed, np.random.default_rng([seed, 7]))
    labels, places = maps[points], spread.compositions
    plane = spread.compositions @ np.array([[0.0, 0.0], [1.0, 0.0], [0.5, 0.75**0.5]])
    for panel, shown, title in (
        (truth, spread.region_labels, f"seed {seed}: the true regions"),
        (
            found,
            np.unique(labels, return_inverse=True)[1],
            f"as mapped from {points} of {len(places)} points (rings; colours are by chance)",
        ),
    ):
        panel.scatter(*plane.T, c=shown, cmap="tab10", vmin=0, vmax=9, s=48, marker="h")
        panel.scatter(*plane[chosen].T, s=60, facecolors="none", edgecolors="k", lw=0.8)
        panel.set_title(title)
        panel.set_aspect("equal")
        panel.axis("off")


def runs_of(way: str, seeds: Sequence[int], points: int, file: Path | None) -> list[Run]:
    """Return one run for each seed: those that a file holds, and the others, which it then holds too."""
    kept = {}
    if file is not None and file.exists():
        lines = [json.loads(text) for text in file.read_text(encoding="utf-8").splitlines()]
        kept = {one["seed"]: one["run"] for one in lines if (one["way"], one["points"]) == (way, points)}
    found = []
    for seed in seeds:
        if seed not in kept:
            kept[seed] = {key: np.asarray(value).tolist() for key, value in asdict(run(way, seed, points)).items()}
            if file is not None:
                with file.open("a", encoding="utf-8") as stream:
                    stream.write(json.dumps({"way": way, "seed": seed, "points": points, "run": kept[seed]}) + "\n")
        arrays = {key: np.array(value) for key, value in kept[seed].items() if key != "seconds"}
        found.append(Run(**arrays, seconds=kept[seed]["seconds"]))
    return found


def main() -> None:
    """Run the comparison and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--points", type=int, default=48)
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    parser.add_argument("--json", type=Path, help="where runs are kept, one a line")
    parser.add_argument("--png", type=Path)
    args = parser.parse_args()
    seeds = range(args.first, args.first + args.seeds)
    runs = {way: runs_of(way, seeds, args.points, args.json) for way in args.ways}
    pool = len(draw_spread(args.first).compositions)
    print(f"seeds {seeds.start} to {seeds.stop - 1}, {pool} points each")
    print(table(runs, pool))
    if args.png:
        draw(runs, args.first, args.points, pool).savefig(args.png, dpi=110)


if __name__ == "__main__":
    main()
