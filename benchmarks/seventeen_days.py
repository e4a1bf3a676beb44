"""Seventeen days of the powder laboratory, run by the policy `reactions`, with everything going wrong that can.

    python benchmarks/seventeen_days.py [--seeds 1] [--first 0] [--recipes 355] [--runs FOLDER] [--png FILE]

After the A-Lab's campaign of 17 days and 355 recipes (Szymanski et al., Nature 624, 86 (2023), doi
10.1038/s41586-023-06734-w). The laboratory is that of `examples/lithium_cobalt_oxide`: dosing, milling, four box
furnaces, regrinding and diffraction behind two arms, byte by byte through its drivers in virtual time, with the faults
of `seventeen_days_faults.yaml` and a simulated person who comes when asked. A campaign has one target; the five that
the world's chemistry can make are worked on one after the other, `labpilot simulate` each, with a fifth of the recipes,
and their days are summed. A batch shares a temperature, so that its samples can share a furnace; twelve are under way.
Each campaign has a seed of its own, which draws faults, energies and rates, hidden from the planner, whose table is the
shipped one.

A target is claimed where diffraction alone says so: the verdict is `identified`, its probability at least 0.95, the
lower end of the 90 % interval of its weight fraction at least 0.5, and no gate fails. It is made where a powder that
was claimed truly holds 50 % of it by weight, which the world's own file tells. Interventions are counted as labpilot
counts them (docs/operating.md), and parted into what physics forces on a hand (dropped crucibles, clogged or empty
dosers) and the others. What was run is kept in the folder and not run again.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sqlite3
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
from laws import FORCED, Findings, judge
from seventeen_days_report import draw, report

from orchestrator.people.interventions import autonomy
from simulators.materials.solid_state.powder import Powder
from surrogate.reactions.precursors import precursor_sets
from surrogate.reactions.substances import shipped_table

HERE = Path(__file__).parent
CAMPAIGN = HERE.parent / "examples" / "lithium_cobalt_oxide" / "campaign.yaml"
FAULTS = HERE / "seventeen_days_faults.yaml"
RECIPES = 355
MADE, SURE = 0.5, 0.95
TARGET_MG = 1000.0
TARGETS: Mapping[str, tuple[tuple[str, ...], tuple[float, float, float]]] = {
    "BaTiO3-tetragonal": (("witherite", "BaO", "anatase", "rutile"), (600.0, 1150.0, 25.0)),
    "perovskite": (("calcite", "lime", "anatase", "rutile"), (600.0, 1150.0, 25.0)),
    "macedonite": (("litharge", "massicot", "anatase", "rutile"), (400.0, 900.0, 25.0)),
    "Bi4Ti3O12": (("alpha-Bi2O3", "massicot", "anatase", "rutile"), (500.0, 1000.0, 12.5)),
    "LiCoO2": (("zabuyelite", "Li2O", "CoO", "Co3O4"), (400.0, 900.0, 25.0)),
}
"""Precursors in the dosers, and the lowest, highest and next temperature in degC."""


def overrides(target: str, recipes: int) -> list[str]:
    """Return what differs from the example's campaign and lab."""
    precursors, (low_c, high_c, step_c) = TARGETS[target]
    table = shipped_table()
    sets = precursor_sets(table, target, precursors)
    masses = {one.name: {name: f"{mg:.0f} mg" for name, mg in one.masses_mg(table, TARGET_MG).items()} for one in sets}
    cations = table[target].cations
    phases = [name for name, one in table.phases.items() if one.cations and one.cations <= cations]
    told = {
        "name": target,
        "description": f"Make {target}.",
        "parameters.0.levels": [one.name for one in sets],
        "parameters.1.low": f"{low_c} degC",
        "parameters.1.high": f"{high_c} degC",
        "parameters.1.step": f"{step_c} K",
        "recipe.0.dose.mixtures": masses,
        "analysis.options": {"target": target, "phases": [name for name in phases if name in _structures()]},
        "planner.options": {"target": target, "hold_h": 4, "wanted": MADE},
        "shared": ["temperature"],
        "batch": 4,
        "in_flight": 12,
        "budget": {"trials": recipes, "duration": "60 d"},
        "lab.samples.materials": {f"doser-{i}": name for i, name in enumerate(precursors, 1)},
        "lab.simulation.powder-lab.precursors": list(precursors),
    }
    return [f"{key}={json.dumps(value)}" for key, value in told.items()]


def _structures() -> set[str]:
    from surrogate.xrd.library import embedded_library

    return {phase.name for phase in embedded_library().phases}


def simulated(target: str, seed: int, recipes: int, out: Path) -> float:
    """Run one campaign in a process of its own, and return the processor time that it took, in s."""
    sets = [word for one in overrides(target, recipes) for word in ("--set", one)]
    line = ["simulate", str(CAMPAIGN), "--seed", str(seed), "--faults", str(FAULTS), "--out", str(out), *sets]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    subprocess.run(
        [sys.executable, "-m", "orchestrator.cli.main", *line], check=True, stdout=subprocess.DEVNULL, env=environment
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def counted(path: Path, target: str) -> dict[str, Any]:
    """Return what a campaign's directory tells: recipes, powders as they truly were, claims, hands."""
    found = judge(path)
    hands = autonomy(found.events)
    named = _doubts(found)
    with closing(sqlite3.connect(path / "journal.sqlite")) as db:
        outcomes = dict(db.execute("SELECT outcome, count(*) FROM trial GROUP BY outcome"))
        trials = db.execute("SELECT number, finished_s, outcome, details FROM trial ORDER BY finished_s").fetchall()
    true = true_weights(path, target)
    powders = [
        {"day": finished_s / 86400.0, "true": true[number], "claimed": claims(json.loads(details), target)}
        for number, finished_s, outcome, details in trials
        if outcome in ("measured", "failed") and number in true
    ]
    return {
        "days": found.events[-1].at_s / 86400.0,
        "recipes": len(trials),
        "outcomes": outcomes,
        "powders": powders,
        "completed": hands.completed,
        "interventions": [act.at_s / 86400.0 for act in hands.interventions],
        "forced": dict(Counter(FORCED[one] for one in named if one in FORCED)),
        "others": dict(Counter(" ".join(one).strip() for one in named if one not in FORCED)),
        "restocks": len(hands.restocks),
        "unassisted": hands.unassisted_experiments,
        "is_lawful": found.is_lawful,
        "violations": dict(Counter(one.rule for one in found.violations)),
    }


def _doubts(found: Findings) -> list[tuple[str, str]]:
    doubts = [event.body for event in found.events if event.kind == "doubted"]
    return [(doubt["kind"], doubt["facts"].get("code", "")) for doubt in doubts if doubt["kind"] != "restock"]


def true_weights(path: Path, target: str) -> dict[int, float]:
    """Return how much of the target each powder truly held that was measured, by trial."""
    with closing(sqlite3.connect(path / "world" / "powder-lab.sqlite")) as db:
        acts = [json.loads(row) for (row,) in db.execute("SELECT value FROM state WHERE key GLOB 'act/*'")]
        powders = dict(db.execute("SELECT key, value FROM state WHERE key GLOB 'powder/*'"))
    measured = {
        int(act["facts"]["tag"].split(".")[0]): act["facts"]["sample"] for act in acts if act["what"] == "measure"
    }
    texts = {number: powders.get(f"powder/{container}") for number, container in measured.items()}
    found = {number: Powder.from_json(json.loads(text)) for number, text in texts.items() if text is not None}
    return {number: powder.weights.get(target, 0.0) if powder.portions else 0.0 for number, powder in found.items()}


def claims(details: Mapping[str, Any], target: str) -> bool:
    """Say whether diffraction alone says that a powder is the target."""
    if details.get("verdict") != "identified" or details["failed_gates"] or target not in details["phases"]:
        return False
    return details["probabilities"][target] >= SURE and details["weight_intervals"][target][0] >= MADE


def laboratory(seed: int, recipes: int, runs: Path | None) -> dict[str, Any]:
    """Run a laboratory's campaigns, those that are not kept yet, and return them by target."""
    found = {}
    for index, (target, share) in enumerate(zip(TARGETS, shares(recipes), strict=True)):
        own_seed = seed * len(TARGETS) + index  # else the same transfers would fail in every campaign
        kept = runs / f"{seed}-{target}.json" if runs else None
        if kept is None or not kept.exists():
            with tempfile.TemporaryDirectory() as folder:
                out = Path(folder) / "campaign"
                cpu_s = simulated(target, own_seed, share, out)
                found[target] = {**counted(out, target), "cpu_s": cpu_s}
            if kept is not None:
                kept.parent.mkdir(parents=True, exist_ok=True)
                kept.write_text(json.dumps(found[target]))
        else:
            found[target] = json.loads(kept.read_text())
        print(f"seed {seed}, {target}: {found[target]['days']:.1f} days", flush=True)
    return {"seed": seed, "campaigns": found}


def shares(recipes: int) -> list[int]:
    """Return recipes for each target, as even as can be."""
    return [int(n) for n in np.diff(np.linspace(0, recipes, len(TARGETS) + 1).round())]


def main(given: Sequence[str] | None = None) -> None:
    """Run, print, draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--recipes", type=int, default=RECIPES, help="of all targets together")
    parser.add_argument("--runs", type=Path, help="folder in which runs are kept")
    parser.add_argument("--png", type=Path, help="draw recipes, claims and interventions against days")
    chosen = parser.parse_args(given)
    laboratories = [
        laboratory(seed, chosen.recipes, chosen.runs) for seed in range(chosen.first, chosen.first + chosen.seeds)
    ]
    report(laboratories)
    if chosen.png:
        draw(laboratories, chosen.png)


if __name__ == "__main__":
    main()
