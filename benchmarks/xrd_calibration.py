"""Fit the calibration that is shipped: `python benchmarks/xrd_calibration.py --first 740000`.

Levels L1 and L2 without and, on the seeds that follow, with up to one unknown phase, L3 with up to two; seeds that no
figure is reported on. Patterns whose unknown phase does not stand out of the noise teach nothing and are left out.
Writes surrogate/xrd/calibration.json.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from xrd_cases import Case as Simulated
from xrd_cases import cases, library

from surrogate.xrd.calibration import N_LEFT, Calibration, Case, fitted, fitted_missing, phase_probabilities, sets_of
from surrogate.xrd.claims import misfit, signal_to_noise
from surrogate.xrd.identify import Identifier
from surrogate.xrd.pattern import make_pattern

TARGET = Path(__file__).parents[1] / "surrogate" / "xrd" / "calibration.json"
CHUNK = 50
LEVELS = (("L1", (0, 0)), ("L1", (0, 1)), ("L2", (0, 0)), ("L2", (0, 1)), ("L3", (0, 2)))
"""Each with the numbers of unknown phases that it may have."""
PATTERNS = (1500, 200, 700, 400, 1800)
IMPORTANCE = {"L1": 1.0, "L2": 8.0, "L3": 1.0}
"""Patterns of L1 are nearly all clear; the few failures of so many would decide what those of L2 need."""
NONE_YET = Calibration(
    temperatures=(), set_weights=(), complete_weights=(), missing_weights=(), made_by={"command": "this one"}
)
"""Searching needs none, and the one that is shipped may be of another make."""
LEAST_PROMINENCE = 2.5
"""Of an unknown phase's strongest peak, in sigma: what cannot be seen cannot be told."""


def main() -> None:
    """Search, fit, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--patterns",
        type=int,
        nargs=len(LEVELS),
        default=PATTERNS,
        help="L1 without and with unknown phases, L2 likewise, L3",
    )
    parser.add_argument("--first", type=int, default=740_000)
    parser.add_argument("--workers", type=int, default=1)
    arguments = parser.parse_args()
    jobs = list(_jobs(arguments.patterns, arguments.first))
    with ProcessPoolExecutor(arguments.workers, mp_context=get_context("spawn")) as pool:
        found = [one for some in pool.map(_searched, jobs) for one in some]
    numbers = " ".join(map(str, arguments.patterns))
    write(found, f"python benchmarks/xrd_calibration.py --patterns {numbers} --first {arguments.first}")


def write(found: Sequence[Case], command: str) -> None:
    """Fit, write the calibration with the command that made it, and print it."""
    temperatures, set_weights = fitted(found)
    complete_weights, missing_weights = fitted_missing(found, set_weights)
    trial = Calibration(
        temperatures=temperatures,
        set_weights=set_weights,
        complete_weights=complete_weights,
        missing_weights=missing_weights,
        made_by={},
    )
    stored = {
        "temperatures": [round(one, 3) for one in temperatures],
        "set_weights": [round(one, 4) for one in set_weights],
        "complete_weights": [round(one, 4) for one in complete_weights],
        "missing_weights": [round(one, 4) for one in missing_weights],
        "made_by": {"command": command, "n_patterns": len(found)},
    }
    TARGET.write_text(json.dumps(stored, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(stored, indent=1))
    known = [one for one in found if not one.has_unknown]
    p = np.concatenate([phase_probabilities(case, trial) for case in known])
    y = np.concatenate([case.truth for case in known])
    middle = (p > 0.02) & (p < 0.98)
    print(
        f"on the same patterns: {middle.sum()} phases with 0.02 < P < 0.98, "
        f"mean P {p[middle].mean():.3f}, true {y[middle].mean():.3f}"
    )


def _jobs(numbers: Sequence[int], first: int) -> Iterator[tuple[str, tuple[int, int], int, int]]:
    """Yield level, numbers of unknown phases, first seed and number of patterns; no seed of a level comes twice."""
    free = dict.fromkeys(IMPORTANCE, first)
    for (level, n_unknown), n in zip(LEVELS, numbers, strict=True):
        for begin in range(free[level], free[level] + n, CHUNK):
            yield level, n_unknown, begin, min(CHUNK, free[level] + n - begin)
        free[level] += n


def _searched(job: tuple[str, tuple[int, int], int, int]) -> list[Case]:
    level, n_unknown, first, n = job
    torch.set_num_threads(1)
    identifier = Identifier(library(), calibration=NONE_YET)
    some = cases(level, n, first, n_unknown=n_unknown)
    return [
        _case(identifier, case) for case in some if not case.unknown or max(case.unknown.values()) >= LEAST_PROMINENCE
    ]


def _case(identifier: Identifier, simulated: Simulated) -> Case:
    pattern = make_pattern(simulated.scan)
    searcher = identifier.searcher(pattern)
    hypotheses = searcher.search(pattern)
    names = [phase.name for phase in searcher.atlas.phases]
    members = np.zeros((len(hypotheses), len(names)), dtype=bool)
    for row, hypothesis in enumerate(hypotheses):
        members[row, list(hypothesis.phases)] = True
    return Case(
        sets=sets_of(hypotheses, [identifier.left_over(pattern, searcher, one) for one in hypotheses[:N_LEFT]]),
        members=members,
        truth=np.array([name in simulated.weights for name in names]),
        signal_to_noise=signal_to_noise(pattern),
        misfit=misfit(pattern, hypotheses[0]),
        has_unknown=bool(simulated.unknown),
        importance=IMPORTANCE[simulated.level],
    )


if __name__ == "__main__":
    main()
