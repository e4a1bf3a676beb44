"""How long features take: CIF files read and compared, and each featurizer, on one core.

    python benchmarks/feature_speed.py [--structures 1000] [--formulas 10000]

The structures are the ordered ones that come with labpilot, strained at random, every other one written in P 1.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

import numpy as np
from pymatgen.io.cif import CifWriter
from threadpoolctl import threadpool_limits

from surrogate.features.crystals import pymatgen_structure
from surrogate.features.elements import symbols
from surrogate.features.named import featurizer
from surrogate.features.pools import pool_of, read_folder
from surrogate.xrd.library import embedded_library

T = TypeVar("T")


def write(folder: Path, n: int) -> None:
    """Write n structures."""
    rng = np.random.default_rng(0)
    phases = [phase for phase in embedded_library().phases if not phase.is_disordered]
    for number in range(n):
        structure = pymatgen_structure(phases[number % len(phases)])
        structure.scale_lattice(structure.volume * (1.0 + 0.03 * rng.standard_normal()))
        CifWriter(structure, symprec=1e-3 if number % 2 else None).write_file(folder / f"{number:05}.cif")


def formulas(n: int) -> list[str]:
    """Return n different formulas of four elements."""
    rng, found = np.random.default_rng(0), dict[str, None]()
    while len(found) < n:
        found["".join(f"{symbols()[place]}{amount}" for amount, place in enumerate(rng.integers(100, size=4), 1))] = (
            None
        )
    return list(found)


def timed(what: str, do: Callable[[], T]) -> T:
    """Do something, and say what it took."""
    began = time.process_time()
    found = do()
    print(f"{what:<40} {time.process_time() - began:7.2f} s")
    return found


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--structures", type=int, default=1000)
    parser.add_argument("--formulas", type=int, default=10_000)
    told = parser.parse_args()
    warnings.simplefilter("ignore")  # of how spglib will tell errors in a later version
    with TemporaryDirectory() as place, threadpool_limits(1):
        write(Path(place), told.structures)
        pool = timed(f"{told.structures} CIF files", lambda: read_folder(Path(place)))
        print(f"{len(pool.words)} different, {max(len(item.sites) for item in pool.items)} atoms at most")
        for kind in ("sine_matrix", "ewald_matrix", "diffraction", "element_statistics"):
            timed(f"{kind} of {len(pool.words)}", lambda kind=kind: featurizer(kind).features(pool.items))
        words = formulas(told.formulas)
        listed = timed(f"{len(words)} formulas", lambda: pool_of("composition", words, words))
        for kind in ("element_statistics", "bag_of_atoms"):
            timed(f"{kind} of {len(words)}", lambda kind=kind: featurizer(kind).features(listed.items))


if __name__ == "__main__":
    main()
