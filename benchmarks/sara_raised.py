"""What SARA's further options are worth: batches, travel, failures, composition spreads, a phase that is looked for.

    python benchmarks/sara_raised.py [PART ...] [--seeds 20] [--first 0] [--out DIR] [--png FILE]

Parts `batch`, `travel` and `failures` run on the films of `benchmarks/sara_outer.py`, failure events on; `spread` and
`phase` on the closed form of `benchmarks/sara_spread.py`. Every run is a line of a file in DIR and is not made again.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from sara_acceptance import kept, written
from sara_outer import TARGET, Wafer, film_scorer, predicted_map
from sara_spread import DWELLS_US, ELEMENTS, GRADIENT, PHASE, Spread, conditions, places

from planner import Continuous, Objective, Observation, Planner, SearchSpace
from simulators.scoring.film import DWELL_US, PEAK_TEMPERATURE_C

OUT = Path(__file__).parent / "results" / "sara"
STRIPES = 48
BATCH = 4
"""Stripes of a batch; all ways are scored so often."""
STAGE_MM_S, STRIPE_S = 2.0, 20.0
ABLATED_C, ABLATED_LOG_DWELL = 1050.0, 3.2
"""Hotter and longer than this, stripes of the part `failures` give nothing."""
SPREAD_STRIPES = 40
WANTED = 0.8
CONFIDENCE = 0.8

Run = dict[str, Any]


def film(way: str, seed: int) -> Run:
    """Run one campaign on a film; a way is a part and what is varied in it."""
    options: dict[str, Any] = {"caution": 0.0} if way == "failures ignored" else {}
    if way.startswith("travel"):
        options["positions"] = ["x", "y"]
    if way == "travel counted":
        options |= {"stage_mm_s": STAGE_MM_S, "stripe_s": STRIPE_S}
    planner = Planner(_film_space(), [Objective(TARGET, "learn")], seed=seed, policy="sara", options=options)
    wafer, scorer = Wafer(seed), film_scorer(seed)
    result: Run = {"way": way, "seed": seed, "stripes": [], "r2": [], "failed": 0, "travel_mm": []}
    n, here, travelled = 0, None, 0.0
    while n < STRIPES:
        for proposal in planner.ask(BATCH if way == "batch of 4" else 1):
            told = _film_stripe(wafer, proposal.parameters, ablates=way.startswith("failures"))
            result["failed"] += told[0].failure is not None
            planner.tell([replace(one, proposal_id=proposal.id) for one in told])
            place = np.array([float(proposal.parameters[name]) for name in ("x", "y")])
            travelled += 0.0 if here is None else float(np.linalg.norm(place - here))
            here, n = place, n + 1
        if n % BATCH == 0 and result["failed"] < n:
            drawn = predicted_map(planner, x=0.0, y=0.0)
            result["stripes"].append(n)
            result["r2"].append(scorer.r2(drawn, "1/s^2"))
            result["travel_mm"].append(travelled)
    return result


def _film_space() -> SearchSpace:
    """Return the 625 stripes, each at the place where `sara_outer.Wafer` makes it."""
    listed = [
        {
            "peak_temperature": float(peak),
            "dwell": float(dwell),
            "x": 4.0 * (n % 31) - 60.0,
            "y": 2.0 * (n // 31) - 20.0,
        }
        for n, (dwell, peak) in enumerate((d, p) for d in DWELL_US for p in PEAK_TEMPERATURE_C)
    ]
    axes = [
        Continuous("peak_temperature", 400.0, 1300.0, unit="degC"),
        Continuous("dwell", 250.0, 10_000.0, unit="us", scale="log"),
        *[Continuous(name, -70.0, 70.0, unit="mm") for name in ("x", "y")],
    ]
    return SearchSpace(axes, candidates=listed)


def _film_stripe(wafer: Wafer, at: Mapping[str, Any], *, ablates: bool) -> list[Observation]:
    peak, dwell, place = float(at["peak_temperature"]), float(at["dwell"]), {"x": at["x"], "y": at["y"]}
    if ablates and peak > ABLATED_C and np.log10(dwell) > ABLATED_LOG_DWELL:
        return [Observation(parameters=at, failure="the film was ablated")]
    return [replace(one, parameters={**one.parameters, **place}) for one in wafer.stripe(peak, dwell)]


def spread(way: str, seed: int) -> Run:
    """Map a composition spread; R2 of log(1 + g) at 600 random conditions."""
    world, policy = Spread(seed), {"random": "random"}.get(way, "sara")
    options = {"positions": ["x", "y"], "composition": ELEMENTS[: 2 if way == "two fractions" else 3]}
    space, learn = world.space(), [Objective(GRADIENT, "learn")]
    chooser = Planner(space, learn, seed=seed, policy=policy, options=options if policy == "sara" else None)
    judge = chooser if policy == "sara" else Planner(space, learn, seed=seed, policy="sara", options=options)
    result: Run = {"way": way, "seed": seed, "stripes": [], "r2": []}
    for n in range(1, SPREAD_STRIPES + 1):
        (proposal,) = chooser.ask()
        told = [_without_phase(one) for one in world.stripe(proposal.parameters, proposal.id)]
        chooser.tell(told)
        if judge is not chooser:
            judge.adopt([proposal])
            judge.tell(told)
        if n % BATCH == 0:
            result["stripes"].append(n)
            result["r2"].append(_spread_r2(judge, world, seed))
    return result


def _without_phase(one: Observation) -> Observation:
    return replace(one, values={GRADIENT: one.values[GRADIENT]}, noise={GRADIENT: one.noise[GRADIENT]})


def _spread_r2(planner: Planner, world: Spread, seed: int) -> float:
    chance = np.random.default_rng([seed, 9])
    sites, temperature = chance.choice(places(), 600), chance.uniform(350.0, 1240.0, 600)
    dwell = chance.choice(DWELLS_US, 600)
    points = [
        {**site, "peak_temperature": float(t), "dwell": float(d)}
        for site, t, d in zip(sites, temperature, dwell, strict=True)
    ]
    true, found = np.log1p(world.gradient(*conditions(points))), np.log1p(planner.predict(points)[GRADIENT].mean)
    return float(1.0 - np.mean((true - found) ** 2) / np.var(true))


def phase(way: str, seed: int) -> Run:
    """Look for a phase until the centre of a stripe holds enough of it; None where it never did."""
    world = Spread(seed)
    result: Run = {"way": way, "seed": seed, "to": None, "best": 0.0}
    planner = _phase_planner(way, world, seed)
    targets = {objective.name for objective in planner.objectives}
    for n in range(1, SPREAD_STRIPES + 1):
        (proposal,) = planner.ask()
        centre = {**proposal.parameters, "peak_temperature": float(proposal.parameters["peak_temperature"]) - 10.0}
        share = float(world.phase([centre])[0])
        result["best"] = max(result["best"], share)
        if share >= WANTED:
            return {**result, "to": n}
        told = world.stripe(proposal.parameters, proposal.id)
        if way == "plain GP" or way == "random":
            told = [Observation(parameters=proposal.parameters, values=told[-1].values, proposal_id=proposal.id)]
        planner.tell([replace(one, **_of(one, targets)) for one in told])
    return result


def _of(one: Observation, targets: set[str]) -> dict[str, dict[str, float]]:
    kept_of = lambda given: {name: value for name, value in given.items() if name in targets}  # noqa: E731
    return {"values": kept_of(one.values), "noise": kept_of(one.noise)}


def _phase_planner(way: str, world: Spread, seed: int) -> Planner:
    sought = Objective(PHASE, "maximize")
    if way in ("plain GP", "random"):
        return Planner(world.space(), [sought], seed=seed, policy="logei" if way == "plain GP" else "random")
    options: dict[str, Any] = {"positions": ["x", "y"], "composition": ELEMENTS[:2]}
    if way == "mapping only":
        options["switch"] = 0.0
    if way.startswith(("right", "wrong")):
        options["regions"] = [_region(world, is_right=way.startswith("right"))]
    objectives = [Objective(GRADIENT, "learn"), sought]
    return Planner(world.space(), objectives, seed=seed, policy="sara", options=options)


def _region(world: Spread, *, is_right: bool) -> dict[str, Any]:
    """Return a box of 200 degC by 0.3 in two fractions about the phase, or about where it cannot be."""
    boundaries = world.boundaries_c(np.array([2.8]), world.centre[None])[0]
    middle = 0.5 * (boundaries[1] + boundaries[2]) + (0.0 if is_right else -250.0)
    at = world.centre if is_right else np.roll(np.sort(world.centre), int(np.argmin(world.centre)) + 1)
    within = {"peak_temperature": [float(middle) - 100.0, float(middle) + 100.0]}
    within |= {name: [float(at[i]) - 0.15, float(at[i]) + 0.15] for i, name in enumerate(ELEMENTS[:2])}
    return {"within": within, "confidence": CONFIDENCE}


PARTS: Mapping[str, tuple[Callable[[str, int], Run], tuple[str, ...]]] = {
    "batch": (film, ("one by one", "batch of 4")),
    "travel": (film, ("travel ignored", "travel counted")),
    "failures": (film, ("failures ignored", "failures learnt")),
    "spread": (spread, ("sara", "two fractions", "random")),
    "phase": (phase, ("no prior", "right prior", "wrong prior", "mapping only", "plain GP", "random")),
}


def at(run: Run, key: str, goal: float = 0.7) -> float:
    """Return a score when R2 first reached a goal; infinite if it never did."""
    reached = [value for value, r2 in zip(run[key], run["r2"], strict=True) if r2 >= goal]
    return float(reached[0]) if reached else np.inf


def row(part: str, runs: list[Run]) -> str:
    """Return what a way gave, as cells of its table."""
    if part == "phase":
        found = sum(run["to"] is not None for run in runs)
        return f"{written([run['to'] for run in runs])} | {found} of {len(runs)}"
    if part == "spread":
        return " | ".join(written([run["r2"][run["stripes"].index(n)] for run in runs], 2) for n in (16, 24, 40))
    cells = [written([at(run, "stripes") for run in runs])]
    if part == "travel":
        travel = [at(run, "travel_mm") for run in runs]
        minutes = [
            (at(run, "stripes") * STRIPE_S + mm / STAGE_MM_S) / 60.0 for run, mm in zip(runs, travel, strict=True)
        ]
        cells += [written(travel, 4), written(minutes)]
    if part == "failures":
        cells.append(written([run["failed"] for run in runs]))
    cells.append(written([run["r2"][-1] for run in runs], 2))
    return " | ".join(cells)


HEADS: Mapping[str, str] = {
    "batch": "stripes to R2(1/s^2) 0.7 | R2 after 48",
    "travel": "stripes to R2(1/s^2) 0.7 | mm travelled by then | minutes by then | R2 after 48",
    "failures": "stripes to R2(1/s^2) 0.7 | failed of 48 | R2 after 48",
    "spread": "R2 after 16 | after 24 | after 40",
    "phase": f"stripes to one with {WANTED:g} of the phase | found in {SPREAD_STRIPES}",
}


def draw(found: Mapping[str, Mapping[str, Sequence[Run]]], file: Path) -> None:
    """Draw the search for the phase, and the map of the spread."""
    figure = Figure(figsize=(9, 3.8), layout="constrained")
    search, mapped = figure.subplots(1, 2)
    for way, runs in found.get("phase", {}).items():
        reached = np.sort([np.inf if run["to"] is None else run["to"] for run in runs])
        search.step(reached, np.arange(1, len(runs) + 1) / len(runs), where="post", label=way)
    search.set(xlim=(0, SPREAD_STRIPES), ylim=(0, 1), xlabel="stripes", ylabel=f"share of wafers with {WANTED:g} found")
    for way, runs in found.get("spread", {}).items():
        mapped.plot(runs[0]["stripes"], np.median([run["r2"] for run in runs], axis=0), label=way)
    mapped.set(ylim=(0, 1), xlabel="stripes", ylabel="R2 of the map of the spread")
    for axes in (search, mapped):
        axes.legend(fontsize=8)
    figure.savefig(file, dpi=110)


def main() -> None:
    """Run what is missing, print the tables, draw the plot."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; all by default")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--png", type=Path, help="by default raised.png beside the runs")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    seeds, found = range(given.first, given.first + given.seeds), {}
    for part in given.parts or PARTS:
        make, ways = PARTS[part]
        names = {way: given.out / f"{part}-{way.replace(' ', '-')}.jsonl" for way in ways}
        found[part] = {way: kept(file, partial(make, way), seeds) for way, file in names.items()}
        columns = HEADS[part].count("|") + 2
        print(f"\n| {part} | {HEADS[part]} |\n|" + "---|" * columns)
        for way, runs in found[part].items():
            print(f"| {way} | {row(part, runs)} |", flush=True)
    draw(found, given.png or given.out / "raised.png")


if __name__ == "__main__":
    main()
