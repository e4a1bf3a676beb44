"""BayBE's transfer learning on one task, driven by lines of JSON, in an environment that need not have labpilot.

    PYTHON benchmarks/transfer_baybe.py

In goes ``{"sources": [{"X": ..., "y": ...}, ...]}``, then ``{"X": ..., "y": ..., "points": ..., "seed": 0}`` again and
again: what is known of the target, and where to predict. Each is answered with ``{"mean": [...], "sd": [...]}``,
or with ``{"error": ...}``, which ends the worker. Tasks are the levels of a `TaskParameter`, of which
the target's is active; model and priors are BayBE's defaults.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
import warnings
from collections.abc import Iterator
from typing import Any

TARGET, TASK, VALUE = "target", "task", "y"


def answers(lines: Iterator[str]) -> Iterator[dict[str, Any]]:
    """Answer each line after the first."""
    try:
        sources = json.loads(next(lines))["sources"]
        for line in lines:
            yield answer(sources, json.loads(line))
    except Exception as error:  # whatever a peer raises is a result about the peer
        traceback.print_exc(file=sys.stderr)
        yield {"error": f"{type(error).__name__}: {error}"[:300]}


def answer(sources: list[dict[str, Any]], asked: dict[str, Any]) -> dict[str, Any]:
    """Fit sources and target together, and predict the target."""
    import pandas as pd
    import torch
    from baybe.objectives import SingleTargetObjective
    from baybe.parameters import NumericalContinuousParameter, TaskParameter
    from baybe.searchspace import SearchSpace
    from baybe.surrogates import GaussianProcessSurrogate
    from baybe.targets import NumericalTarget

    torch.manual_seed(asked["seed"])
    names = [f"x{i}" for i in range(len(asked["points"][0]))]
    tasks = [f"source {i}" for i in range(len(sources))] + [TARGET]

    def frame(rows: list[list[float]], task: str) -> pd.DataFrame:
        return pd.DataFrame(rows, columns=names).assign(**{TASK: task})

    known = [
        frame(one["X"], task).assign(**{VALUE: one["y"]}) for one, task in zip([*sources, asked], tasks, strict=True)
    ]
    space = SearchSpace.from_product(
        [
            *(NumericalContinuousParameter(name, (0.0, 1.0)) for name in names),
            TaskParameter(TASK, values=tasks, active_values=[TARGET]),
        ]
    )
    model = GaussianProcessSurrogate()
    model.fit(space, SingleTargetObjective(NumericalTarget(VALUE)), pd.concat(known, ignore_index=True))
    found = model.posterior_stats(frame(asked["points"], TARGET), stats=("mean", "std"))
    mean, sd = found[f"{VALUE}_mean"].tolist(), found[f"{VALUE}_std"].tolist()
    return {"mean": mean, "sd": sd}


def main() -> None:
    """Answer until the input ends."""
    stream = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    warnings.simplefilter("ignore")
    for one in answers(iter(sys.stdin.readline, "")):
        stream.write(json.dumps(one) + "\n")
        stream.flush()


if __name__ == "__main__":
    main()
