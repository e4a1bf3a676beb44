"""Fit the calibration that is shipped: `python benchmarks/xrd_calibration.py --patterns 80 130 200 --first 700000`.

Levels L1 and L2 with up to one unknown phase, L3 with up to two, seeds that no figure is reported on. Writes
surrogate/xrd/calibration.json.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from xrd_cases import cases, library

from surrogate.xrd.calibration import Case, fitted, phase_probabilities
from surrogate.xrd.identify import Identifier, misfit, signal_to_noise
from surrogate.xrd.pattern import make_pattern

TARGET = Path(__file__).parents[1] / "surrogate" / "xrd" / "calibration.json"
LEVELS = (("L1", (0, 1)), ("L2", (0, 1)), ("L3", (0, 2)))


def main() -> None:
    """Search, fit, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--patterns", type=int, nargs=3, default=[80, 130, 200], help="for L1, L2 and L3")
    parser.add_argument("--first", type=int, default=700_000)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    identifier = Identifier(library())
    found = [
        _case(identifier, case)
        for (level, n_unknown), n in zip(LEVELS, arguments.patterns, strict=True)
        for case in cases(level, n, arguments.first, n_unknown=n_unknown)
    ]
    numbers = " ".join(map(str, arguments.patterns))
    command = f"python benchmarks/xrd_calibration.py --patterns {numbers} --first {arguments.first}"
    calibration = fitted(found, made_by={"command": command, "n_patterns": len(found)})
    stored = {
        "temperatures": [round(one, 3) for one in calibration.temperatures],
        "unknown_weights": [round(one, 4) for one in calibration.unknown_weights],
        "made_by": dict(calibration.made_by),
    }
    TARGET.write_text(json.dumps(stored, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(stored, indent=1))
    p = np.concatenate([phase_probabilities(c, calibration.temperature(c.signal_to_noise, 1.0)) for c in found])
    y = np.concatenate([c.truth for c in found])
    middle = (p > 0.02) & (p < 0.98)
    print(
        f"on the same patterns: {middle.sum()} phases with 0.02 < P < 0.98, "
        f"mean P {p[middle].mean():.3f}, true {y[middle].mean():.3f}"
    )


def _case(identifier: Identifier, case) -> Case:  # noqa: ANN001
    pattern = make_pattern(case.scan)
    searcher = identifier.searcher(pattern)
    hypotheses = searcher.search(pattern)
    names = [phase.name for phase in searcher.atlas.phases]
    members = np.zeros((len(hypotheses), len(names)), dtype=bool)
    for row, hypothesis in enumerate(hypotheses):
        members[row, list(hypothesis.phases)] = True
    return Case(
        log_evidence=np.array([one.log_evidence for one in hypotheses]),
        members=members,
        truth=np.array([name in case.weights for name in names]),
        signal_to_noise=signal_to_noise(pattern),
        misfit=misfit(pattern, hypotheses[0]),
        features=identifier.left_over(pattern, searcher, hypotheses[0]).features,
        has_unknown=bool(case.unknown),
    )


if __name__ == "__main__":
    main()
