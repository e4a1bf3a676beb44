"""Make the two tables of this example again: `python examples/photocatalysis_again/make_tables.py EXPORT`.

`winter.csv` is what the campaign of `../photocatalysis` found, from its export (`README.md` has the commands), with
volumes in microlitres as that laboratory noted them. `theory.csv` is a rate law that knows of the photocatalyst,
cysteine, alkali and dyes, and of nothing else, at recipes drawn at random.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).parent
DYES = ("acid_red", "rhodamine_b", "methylene_blue")
LIQUIDS = ("cysteine", "nacl", "naoh", "pvp", "sds", "silicate", *DYES)
N_THEORY = 200


def winter(export: Path) -> None:
    """Write what the earlier campaign found."""
    with (export / "trials.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    header = ["outcome", "p10 (mg)", *(f"{name} (uL)" for name in LIQUIDS), "hydrogen (umol)"]
    cells = [
        [
            row["outcome"],
            row["parameter_p10"],
            *(round(1000.0 * float(row[f"parameter_{name}"])) for name in LIQUIDS),
            row["value_hydrogen"] and f"{float(row['value_hydrogen']):.3f}",
        ]
        for row in rows
    ]
    _write("winter.csv", header, cells)


def theory() -> None:
    """Write what the rate law says."""
    rng = np.random.default_rng(0)
    p10 = np.round(rng.uniform(1.0, 5.0, N_THEORY), 1)
    parts = rng.dirichlet(np.full(len(LIQUIDS) + 1, 0.3), N_THEORY)[:, 1:]  # the rest is water
    volume = dict(zip(LIQUIDS, np.round(4.75 * parts, 2).T, strict=True))
    volume["cysteine"] += 0.25
    dyed = sum(volume[name] for name in DYES)
    rate = 9.0 * (1.0 - np.exp(-p10)) * volume["cysteine"] ** 0.5
    rate *= np.exp(-(((volume["naoh"] - 2.0) / 3.0) ** 2) - 3.0 * dyed)
    cells = np.column_stack([p10, *volume.values(), np.round(1000.0 * rate)])
    header = ["p10 (mg)", *(f"{name} (mL)" for name in LIQUIDS), "hydrogen (nmol)"]
    _write("theory.csv", header, [[f"{cell:g}" for cell in row] for row in cells])


def _write(name: str, header: list[str], rows: list[list]) -> None:
    with (FOLDER / name).open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *rows])


if __name__ == "__main__":
    winter(Path(sys.argv[1]))
    theory()
