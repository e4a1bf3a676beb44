"""Campaigns of the photocatalysis bench with a table of earlier results."""

import csv
import json
import tempfile
from functools import cache
from pathlib import Path

import numpy as np

from orchestrator.check import check_campaign

PHOTO = Path(__file__).parents[3] / "examples" / "photocatalysis" / "campaign.yaml"
LIQUIDS = ("cysteine", "nacl", "naoh", "pvp", "sds", "silicate", "acid_red", "rhodamine_b", "methylene_blue")


_FOLDER = tempfile.TemporaryDirectory(prefix="labpilot-")


@cache
def table(n=30, seed=0):
    """Write a table of recipes, and values that hang on cysteine, base and catalyst as those of the bench do."""
    rng = np.random.default_rng(seed)
    points = []
    for _ in range(n):
        steps = rng.multinomial(20, np.ones(len(LIQUIDS) + 1) / (len(LIQUIDS) + 1))[: len(LIQUIDS)]
        point = {name: 0.25 * float(step) for name, step in zip(LIQUIDS, steps, strict=True)}
        points.append({"p10": 1.0 + 0.2 * float(rng.integers(21)), **point})
    values = [
        8.0 * one["cysteine"] - (one["cysteine"] - 2.5) ** 2 + 2.0 * one["naoh"] + one["p10"] - one["sds"]
        for one in points
    ]
    path = Path(_FOLDER.name) / f"{n}-{seed}.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow([*points[0], "hydrogen"])
        writer.writerows([*point.values(), value] for point, value in zip(points, values, strict=True))
    return path


def campaign(*more, policy="transfer", **options):
    """Return a campaign of 18 trials; options are those of its policy beside the usual ones."""
    options |= {"start": 6} if policy == "logei" else {}
    more = (f"sources={json.dumps([{'name': 'May', 'table': str(table())}])}", *more) if policy == "transfer" else more
    planner = json.dumps({"policy": policy, "charge": "30 s", "options": options})
    given = ("batch=3", "controls=[]", "budget.trials=18", f"planner={planner}")
    return check_campaign(PHOTO, None, [*given, *more]).require()
