"""Make the table of this example again: `python examples/ten_minutes_of_light/make_table.py`.

Each recipe was lit for an hour and, as another sample, for ten minutes: by then a fifth of the hydrogen is there,
silicate has not yet done anything, and a blank of 0.8 umol is not taken off. The hour is the closed form of
`simulators.materials.photocatalysis`, fitted to a real campaign; both scatter by 5 %.
"""

from __future__ import annotations

import csv
from itertools import product
from pathlib import Path

import numpy as np

from simulators.materials.photocatalysis import CAPACITY_ML, INGREDIENTS, hydrogen_umol

FOLDER = Path(__file__).parent
GRID = {
    "p10": (1.0, 2.0, 3.0, 4.0, 5.0),
    "cysteine": tuple(np.arange(0.5, 3.6, 0.5)),
    "naoh": tuple(np.arange(0.0, 3.1, 0.5)),
    "silicate": (0.0, 0.5, 1.0, 1.5),
}
SCATTER = 0.05


def rows() -> list[dict[str, str]]:
    """Return a row for each recipe and length of light."""
    rng, found = np.random.default_rng(0), []
    for values in product(*GRID.values()):
        recipe = dict(zip(GRID, (float(value) for value in values), strict=True))
        if recipe["cysteine"] + recipe["naoh"] + recipe["silicate"] > CAPACITY_ML:
            continue
        early = 0.2 * _hour({**recipe, "silicate": 0.0}) + 0.8
        for light, umol in (("ten minutes", early), ("one hour", _hour(recipe))):
            measured = umol * (1.0 + SCATTER * rng.standard_normal())
            found.append({**{k: f"{v:g}" for k, v in recipe.items()}, "light": light, "hydrogen": f"{measured:.3f}"})
    return found


def _hour(recipe: dict[str, float]) -> float:
    return hydrogen_umol({**dict.fromkeys(INGREDIENTS, 0.0), **recipe})


def main(path: Path = FOLDER / "table.csv") -> None:
    """Write the table."""
    with path.open("w", newline="") as file:
        found = rows()
        writer = csv.DictWriter(file, list(found[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(found)


if __name__ == "__main__":
    main()
