"""What one update and a prediction cost: `python benchmarks/transfer_cost.py`.

Fits 200 values of six inputs and predicts at 1,000 points, on one thread: BoTorch's default (a SingleTaskGP fitted by
its marginal likelihood), the planner's own Gaussian process, and the mixture with four sources of 50 values. Prints
medians in CPU seconds, and ratios to BoTorch's.
"""

from __future__ import annotations

import argparse
import statistics
import warnings
from collections.abc import Callable
from time import process_time

import numpy as np
import torch
from botorch.fit import fit_gpytorch_mll
from botorch.models import SingleTaskGP
from gpytorch.mlls import ExactMarginalLogLikelihood

from surrogate.matern_gp import fit_gp
from surrogate.transfer.mixture import Mixture
from surrogate.transfer.sources import Source, prepare

N_INPUTS, N_VALUES, N_POINTS, N_SOURCE = 6, 200, 1000, 50
SHIFTS = (0.0, 0.1, 0.2, 0.3)
NOISE = 0.05


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--values", type=int, default=N_VALUES)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    found = {name: seconds(call, arguments.rounds) for name, call in calls(arguments.seed, arguments.values).items()}
    print("| model | CPU s | of BoTorch's |\n|---|---|---|")
    for name, taken in found.items():
        print(f"| {name} | {taken:.3f} | {taken / found['BoTorch, SingleTaskGP']:.2f} |")


def calls(seed: int, n: int) -> dict[str, Callable[[], object]]:
    """Return what is timed, by name."""
    rng = np.random.default_rng(seed)
    given = [_values(rng, N_SOURCE, shift) for shift in SHIFTS]
    sources, _ = prepare(
        [Source(name=str(i), X=X, y=y) for i, (X, y) in enumerate(given)],
        d=N_INPUTS,
    )
    (X, y), points = _values(rng, n, 0.15), rng.random((N_POINTS, N_INPUTS))

    def botorch() -> object:
        model = SingleTaskGP(torch.tensor(X), torch.tensor(y)[:, None])
        fit_gpytorch_mll(ExactMarginalLogLikelihood(model.likelihood, model))
        with torch.no_grad():
            posterior = model.posterior(torch.tensor(points))
            return posterior.mean, posterior.variance

    return {
        "BoTorch, SingleTaskGP": botorch,
        "the planner's process": lambda: fit_gp(X, (y - y.mean()) / y.std(), None).posterior(points),
        "mixture, four sources": lambda: Mixture(sources, X, y).predict(points),
    }


def _values(rng: np.random.Generator, n: int, shift: float) -> tuple[np.ndarray, np.ndarray]:
    X = rng.random((n, N_INPUTS))
    y = np.sin(3.0 * X[:, 0] + shift) + X[:, 1] * X[:, 2] - 3.0 * (X[:, 3] - 0.5 - shift) ** 2
    return X, y + 0.3 * np.cos(5.0 * X[:, 4]) + NOISE * rng.standard_normal(n)


def seconds(call: Callable[[], object], rounds: int) -> float:
    """Return the median CPU time of a call, after one that is not counted."""
    call()
    taken = []
    for _ in range(rounds):
        began = process_time()
        call()
        taken.append(process_time() - began)
    return statistics.median(taken)


if __name__ == "__main__":
    main()
